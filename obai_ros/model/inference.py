# SPDX-License-Identifier: Apache-2.0
"""Iterative amortised inference (section 2.3): refine beliefs until they explain the frames."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.belief import Belief
from obai_ros.model.birth import give_birth
from obai_ros.model.engine import Engine
from obai_ros.model.free_energy import Evaluation, evaluate
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.refinement import refine
from obai_ros.model.schedule import Schedule
from obai_ros.model.seed import seeded_window
from obai_ros.model.window import Window, extend, open_window, select, whole_clip


def first_window(model: Obai, image: Tensor, schedule: Schedule, noise: Noise,
                 scattered: bool = True) -> Window:
    """
    Return the window on a first frame [B, 3, H, W] that refinement begins with.

    scattered: where slots begin at seeds, begin near them rather than in their middles.
    """
    if schedule.seeds:
        return seeded_window(model, image, noise, scattered)
    return open_window(model, image)


def iterate_clip(model: Obai, images: Tensor, fields: Sequence[ActionField], schedule: Schedule,
                 noise: Noise, temperature: float | None = None, learning: bool = False
                 ) -> Iterator[tuple[int, Window, Evaluation]]:
    """
    Run inference on a clip, yielding (n, window, evaluation) after n = 0, 1, ... refinements.

    images: [B, T, 3, H, W]. fields: T action fields (the last one is not used).
    After a frame's refinements the next frame enters before the free energy is evaluated again,
    so that each state of the beliefs is decoded once. The last yield is at N_iter.
    """
    later = images[:, 1:].unbind(1)
    yield from iterate_stream(
        model, first_window(model, images[:, 0], schedule, noise),
        zip(later, fields[:len(later)], strict=True), replace(schedule, confined=False), noise,
        temperature, learning, first=schedule.at(0))


def iterate_stream(model: Obai, window: Window, arrivals: Iterable[tuple[Tensor, ActionField]],
                   schedule: Schedule, noise: Noise, temperature: float | None = None,
                   learning: bool = False, first: int = 0
                   ) -> Iterator[tuple[int, Window, Evaluation]]:
    """
    Go on with a window, yielding as `iterate_clip` does.

    arrivals: images [B, 3, H, W] that come next, each with the field that acted before it.
    first: refinements of the window as it is, before any of them comes.
    """
    step = 0
    for _ in range(first):
        evaluation = evaluate(model, window, noise, temperature, learning)
        yield step, window, evaluation
        window = refine(model, window, evaluation)
        step += 1
    window = finished(model, window, schedule)
    for image, field in arrivals:
        window = extend(model, window, image, field, schedule.window, schedule.confined)
        for _ in range(schedule.iterations):
            evaluation = evaluate(model, window, noise, temperature, learning)
            yield step, window, evaluation
            window = refine(model, window, evaluation)
            step += 1
        window = finished(model, window, schedule)
    yield step, window, evaluate(model, window, noise, temperature, learning)


@torch.no_grad()
def infer_clip(model: Obai, images: Tensor, fields: Sequence[ActionField], schedule: Schedule,
               noise: Noise, engine: Engine = Engine()) -> Belief:
    """
    Return the final belief about each frame of a clip, fields [B, T, K, N].

    engine: what does the work, see `engines.choice`; the reference unless told otherwise.

    A frame's belief is final when it leaves the window, or at the end, where a descent may go over
    all of them. Raises ValueError for images or fields that do not fit the model.
    """
    batch, frames = images.shape[:2]
    model.check_images(images.flatten(0, 1))
    for field in fields:
        field.check(batch, *images.shape[-2:])
    samples, final = noise.samples(schedule.sampled), []
    window, _ = begin(model, images[:, 0], schedule, noise, engine)
    window = finished(model, window, schedule, engine)
    for frame in range(1, frames):
        if window.frames == schedule.window:
            final.append(window.packed[:, 0])
        window = extend(model, window, images[:, frame], fields[frame - 1], schedule.window,
                        expect=engine.expect)
        window, _ = engine.refine(model, window, schedule.iterations, samples)
        window = finished(model, window, schedule, engine)
    final.extend(window.packed.unbind(1))
    packed = torch.stack(final, 1)
    if schedule.descent:
        window = whole_clip(model, images, fields[:frames - 1], packed)
        window, _ = engine.descend(model, window, schedule.descent)
        packed = finished(model, window, schedule, engine).packed
    return Belief.unpack(packed)


@torch.no_grad()
def begin(model: Obai, image: Tensor, schedule: Schedule, noise: Noise,
          engine: Engine = Engine()) -> tuple[Window, Tensor]:
    """
    Infer a first frame [B, 3, H, W]; return the window and its free energy by slot, [B, K] nats.

    engine: what does the work, see `engines.choice`.

    Which slot goes for which object is settled by chance in the first refinements, and sometimes
    badly: two slots may share the background and leave an object out. The free energy tells, so
    that of several starts the best can be kept, for each sequence by itself. What is left out even
    then may be given a slot by a birth. The first start is in the middle of seeds, if the schedule
    has them, others are near them.
    """
    samples, best, lowest = noise.samples(schedule.sampled), None, None
    for start in range(schedule.starts):
        window, energy = engine.refine(
            model, first_window(model, image, schedule, noise, scattered=start > 0),
            schedule.at(0), samples)
        if schedule.starts > 1:
            energy = evaluate(model, window, samples).free_energy.of_slots[:, -1]
        if best is None:
            best, lowest = window, energy
        else:
            better = energy.sum(-1) < lowest.sum(-1)
            best = select(better, window, best)
            lowest = torch.where(better[:, None], energy, lowest)
    if schedule.births:
        return give_birth(model, best, schedule.births, samples, engine)
    return best, lowest


def finished(model: Obai, window: Window, schedule: Schedule, engine: Engine = Engine()
             ) -> Window:
    """Return a window after the refinements of its newest frame as they left it, or better."""
    return engine.move(model, window) if schedule.exact_velocities else window
