# SPDX-License-Identifier: Apache-2.0
"""
Teaching: networks of another kind learn from a model that can see already.

The networks of `paper` take 38 times the operations of `fast`'s, and weights that learn to
see with them take days of a CPU core. What is the same in both is taken over; the decoder is
taught to draw what the teacher draws, the convolutions of refinement to say what the teacher's say
(distillation: G. Hinton and others, 2015, arXiv:1503.02531). Nobody labels anything here either.
`obai train --weights` goes on from there with the free energy itself.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from obai_ros.environment.scene import SceneConfig
from obai_ros.environment.sequences import sample_sequences
from obai_ros.model.config import ASSUMED, ModelConfig
from obai_ros.model.inference import iterate_clip
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.pixels import as_image, in_a_row
from obai_ros.model.refinement import image_inputs
from obai_ros.model.schedule import Schedule
from obai_ros.training.muon import Muon

COLOUR_SD = 0.1
"""Colours may differ by about this, in units of [0, 1]: what a difference costs."""

HIDDEN = 0.02
"""How much the colour of a slot counts where its mask is zero."""

LESSONS = 4
"""Lessons that are drawn from one batch of clips, at as many stages of its inference."""

TAUGHT = ('decoder.', 'refiner.trunk.')
"""What learns: parameters whose names begin so. All others are the teacher's."""

WARMUP = 50
"""Steps over which the learning rate rises."""


@dataclass(frozen=True)
class Lesson:
    """
    What a teacher said about B frames while it inferred; images here are [..., H, W].

    state: [B, K, N], drawn from its beliefs. output: [B, K, 4, H, W], what its decoder drew of
    them. inputs: [B, K, 16, H, W], of refinement. features: [B, K, hidden], what its convolutions
    made of those.
    """

    state: Tensor
    output: Tensor
    inputs: Tensor
    features: Tensor


def pupil_of(teacher: Obai, preset: str, precision: str = 'float32') -> Obai:
    """
    Return a model with a preset's networks and all of a teacher's weights that fit into it.

    What the model assumes (ASSUMED) is what the teacher does. Beliefs about actions begin as they
    are read off masks and fields, and stay so until they are refined by training. Raises
    ValueError where beliefs of the one mean nothing to the other.
    """
    config = replace(ModelConfig.named(preset),
                     **{name: getattr(teacher.config, name) for name in ASSUMED},
                     initial_belief=teacher.config.initial_belief)
    differ = [name for name in ('image_size', 'num_slots', 'latent_size', 'hidden_size')
              if getattr(config, name) != getattr(teacher.config, name)]
    if differ:
        raise ValueError(f'the preset {preset!r} has another {", ".join(differ)} than the '
                         f'teacher, a {teacher.config.preset!r}: expected models of the same '
                         f'images and beliefs')
    pupil = Obai(config, precision).to(teacher.device)
    known, mine = teacher.state_dict(), pupil.state_dict()
    mine.update({name: known[name] for name, value in mine.items()
                 if name in known and known[name].shape == value.shape})
    pupil.load_state_dict(mine)
    if config.action_inference == 'network':
        torch.nn.init.zeros_(pupil.action_refiner.out.weight)
        torch.nn.init.zeros_(pupil.action_refiner.out.bias)
    return pupil


def go_on(pupil: Obai, earlier: Obai) -> None:
    """Give a pupil what an earlier one, of the same configuration, was taught."""
    state = earlier.state_dict()
    pupil.load_state_dict({name: value for name, value in state.items()
                           if name.startswith(TAUGHT)}, strict=False)


@torch.no_grad()
def lessons(teacher: Obai, schedule: Schedule, scene: SceneConfig, batch: int,
            generator: torch.Generator) -> Iterator[Lesson]:
    """Yield lessons without end, about fresh videos of two frames of such scenes, B at a time."""
    total = schedule.total(2)
    while True:
        videos = sample_sequences(scene, batch, 2, generator, teacher.device, (0,))
        noise = Noise(generator, teacher.device)
        chosen = set(torch.randperm(total, generator=generator,
                                    device=generator.device)[:LESSONS].tolist())
        for step, window, evaluation in iterate_clip(teacher, videos.images, videos.actions,
                                                     schedule, noise):
            if step in chosen:
                belief = window.belief[:, -1]
                state = belief.mean + belief.log_sd.exp() * noise.normal(*belief.mean.shape)
                inputs = image_inputs(teacher, window, evaluation)[:, -1]
                with teacher.half():
                    features = teacher.refiner.trunk(
                        inputs.flatten(0, 1), state.flatten(0, 1)).to(state.dtype)
                yield Lesson(state, as_image(teacher.decode(state)),
                             as_image(inputs),
                             features.unflatten(0, inputs.shape[:2]))


def lesson_loss(pupil: Obai, lesson: Lesson) -> tuple[Tensor, Tensor]:
    """
    Return how far a pupil is from what it was told: its drawings and its features, scalars.

    Drawings, nats per pixel: the divergence of its masks from the teacher's, and the colours'
    squared error in units of COLOUR_SD, where they show. Features: mean squared error of what
    they add to the gates of the LSTM, which is the same in both: a teacher's features vary in
    scale by orders of magnitude, and do not matter by their scale.
    """
    drawn = pupil.decode(lesson.state)
    told = in_a_row(lesson.output)
    masks = torch.softmax(told[:, :, 3], 1)
    divergence = (masks * (torch.log_softmax(told[:, :, 3], 1)
                           - torch.log_softmax(drawn[:, :, 3], 1))).sum(1).mean()
    error = (drawn[:, :, :3].sigmoid() - told[:, :, :3].sigmoid()).square().sum(2)
    colours = ((masks + HIDDEN) * error).sum(1).mean() / (2.0 * COLOUR_SD ** 2)
    with pupil.half():
        features = pupil.refiner.trunk(in_a_row(lesson.inputs).flatten(0, 1),
                                       lesson.state.flatten(0, 1))
    error = features.float().view_as(lesson.features) - lesson.features
    gates = pupil.refiner.lstm.weight_ih[:, :error.shape[-1]].detach()
    return divergence + colours, (error @ gates.T).square().mean()


def teach(teacher: Obai, pupil: Obai, schedule: Schedule, scene: SceneConfig, steps: int,
          batch: int, learning_rate: float, seed: int,
          report: Callable[[int, float, float], None]) -> None:
    """
    Let the networks of a pupil learn from a teacher, for as many steps.

    schedule: how the teacher infers. scene: what about. learning_rate: at the beginning; a cosine
    takes it to a twentieth. report: told step and losses of drawings and features after each step.
    Raises ValueError, in a sentence, when these are no numbers any more.
    """
    taught = [(name, parameter) for name, parameter in pupil.named_parameters()
              if name.startswith(TAUGHT)]
    optimizer = Muon(taught, learning_rate)
    generator = torch.Generator(teacher.device).manual_seed(seed)
    source = lessons(teacher, schedule, scene, batch, generator)
    falling = torch.optim.lr_scheduler.SequentialLR(optimizer, [
        torch.optim.lr_scheduler.LinearLR(optimizer, 1.0 / WARMUP, total_iters=WARMUP),
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps - WARMUP, 1),
                                                   learning_rate / 20.0)], [WARMUP])
    for step in range(steps):
        drawing, features = lesson_loss(pupil, next(source))
        if not bool(torch.isfinite(drawing + features)):
            raise ValueError(f'the loss of step {step + 1} is no number any more: expected a '
                             f'learning rate that it does not grow with, less than '
                             f'{learning_rate:g}')
        optimizer.zero_grad(set_to_none=True)
        (drawing + features).backward()
        optimizer.step()
        falling.step()
        report(step + 1, float(drawing.detach()), float(features.detach()))
