# SPDX-License-Identifier: Apache-2.0
"""Seconds: the environment, a training step; memory that must not grow."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import torch

from obai_ros.benchmark.machine import resident_mb
from obai_ros.environment.scene import SceneConfig
from obai_ros.environment.sequences import sample_sequences
from obai_ros.model.config import ModelConfig
from obai_ros.model.device import choose_precision
from obai_ros.model.filter import Filter
from obai_ros.model.obai import Obai
from obai_ros.model.schedule import Schedule
from obai_ros.training.learner import draw_batch, make_optimizer
from obai_ros.training.objective import composite_loss
from obai_ros.training.recipe import Recipe


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile in milliseconds."""
    values = torch.tensor(seconds, dtype=torch.float64) * 1e3
    return {'p50': float(values.quantile(0.5)), 'p99': float(values.quantile(0.99))}


def time_environment(image_size: int, seconds: float = 3.0, batch: int = 16) -> float:
    """Return four-frame sequences per second that the environment renders on the CPU."""
    generator = torch.Generator().manual_seed(0)
    scene = SceneConfig(image_size=image_size)
    return _rate(lambda: sample_sequences(scene, batch, 4, generator), seconds) * batch


def clips(recipe: Recipe, batch: int) -> Recipe:
    """
    Return a recipe that learns from clips of four frames of the model's size, as the paper does.

    They are looked at as the recipe's last stage looks at what it learns from.
    """
    stage = replace(recipe.stages[-1], name='clips', image_size=recipe.model.image_size, frames=4,
                    action_frame=1, streams=0, births=0, batch=batch)
    return replace(recipe, stages=(stage,))


def time_training(recipe: Recipe, device: torch.device, seconds: float = 10.0
                  ) -> dict[str, float]:
    """Return how fast the recipe's first stage is gone through, drawing and optimiser included."""
    stage = recipe.stages[0]
    precision, _ = choose_precision(recipe.precision, device, emulate=True)
    model = Obai(recipe.model_at(stage), precision).to(device)
    optimizer = make_optimizer(recipe, model, 1e-5)
    count = 0

    def step() -> None:
        nonlocal count
        videos, noise = draw_batch(recipe, 0, 0, count, 0, 1, device)
        loss = composite_loss(model, videos.images, videos.actions, stage.schedule, noise).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        count += 1
        settle(device)

    step()
    return {'sequences_per_s': _rate(step, seconds) * stage.batch, 'batch': stage.batch,
            'precision': precision, 'frames': stage.frames,
            'refinements': stage.schedule.total(stage.frames)}


def _rate(function: Callable[[], object], seconds: float) -> float:
    """Return calls per second."""
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        function()
        calls += 1
    return calls / (time.perf_counter() - began)


def endless(config: ModelConfig, frames: int,
            progress: Callable[[int], None] = lambda frames: None) -> dict[str, float]:
    """
    Watch noise for many frames; return resident memory (MB) a tenth of the way and at the end.

    Raises FloatingPointError when a belief is no longer finite.
    """
    torch.manual_seed(0)
    perception = Filter(Obai(config), Schedule(1, None, 2))
    generator = torch.Generator().manual_seed(0)
    state, early = perception.start(), 0.0
    for frame in range(frames):
        image = torch.rand(1, 3, config.image_size, config.image_size, generator=generator)
        state, percept = perception.step(state, image)
        if not bool(torch.isfinite(percept.belief.pack()).all()):
            raise FloatingPointError(f'a belief is not finite after {frame + 1} frames of noise')
        if frame == frames // 10:
            early = resident_mb()
        progress(frame + 1)
    return {'frames': frames, 'resident_mb_early': early, 'resident_mb_end': resident_mb()}
