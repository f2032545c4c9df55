# SPDX-License-Identifier: Apache-2.0
"""Iterative amortised inference (section 2.3): refine beliefs until they explain the frames."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.belief import Belief, bounded
from obai_ros.model.birth import give_birth
from obai_ros.model.descent import descend
from obai_ros.model.free_energy import Evaluation, evaluate
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.refiner import IMAGE_INPUTS
from obai_ros.model.schedule import Schedule
from obai_ros.model.seed import seeded_window
from obai_ros.model.velocity import best_velocities
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


def refine(model: Obai, window: Window, evaluation: Evaluation) -> Window:
    """
    Return the window with lambda + refinement(what is wrong with lambda).

    All frames and slots of the window are refined at once, by the same network.
    """
    config = model.config
    lead = evaluation.packed.shape[:3]  # B, F, K
    packed = evaluation.packed.flatten(0, 2)
    with model.half():
        change, hidden, cell = model.refiner(
            image_inputs(model, window, evaluation).flatten(0, 2), packed,
            normalised(evaluation.gradient, 1).flatten(0, 2), window.hidden.flatten(0, 2),
            window.cell.flatten(0, 2))
    window = replace(
        window, packed=bounded(packed + change).view(*lead, -1),
        hidden=hidden.view(*lead, -1), cell=cell.view(*lead, -1),
        action_packed=evaluation.action_packed, mask=evaluation.mixture.mask[:, -1, :, 0])
    if config.action_inference == 'network' and window.frames > 1:
        window = _refine_actions(model, window, evaluation)
    return window


def _refine_actions(model: Obai, window: Window, evaluation: Evaluation) -> Window:
    lead = window.action_packed.shape[:3]
    packed = evaluation.action_packed.flatten(0, 2)
    change, hidden, cell = model.action_refiner(
        packed, normalised(evaluation.action_gradient, 1).flatten(0, 2),
        evaluation.expected.flatten(0, 2), window.action_hidden.flatten(0, 2),
        window.action_cell.flatten(0, 2))
    return replace(window, action_packed=bounded(packed + change).view(*lead, -1),
                   action_hidden=hidden.view(*lead, -1), action_cell=cell.view(*lead, -1))


def normalised(gradient: Tensor, dims: int) -> Tensor:
    """Layer-normalise the last `dims` dimensions, without gain or bias, cut from the graph."""
    return F.layer_norm(gradient.detach(), gradient.shape[-dims:])


@torch.no_grad()
def image_inputs(model: Obai, window: Window, evaluation: Evaluation) -> Tensor:
    """
    Return [B, F, K, 16, M]: the image-sized inputs of refinement, in this order.

    image 3, slot colour 3, mask 1, log mask 1, dL/d colour 3, dL/d mask logit 1, posterior mask
    1, pixel log-likelihood 1, coordinates 2. Gradients and likelihood are layer-normalised.
    """
    seen = evaluation.mixture
    batch, frames, slots, _, pixels = seen.mask.shape
    beta = model.config.beta
    dtype = torch.bfloat16 if model.precision == 'bfloat16' else model.dtype
    inputs = torch.empty(batch, frames, slots, IMAGE_INPUTS, pixels, dtype=dtype,
                         device=seen.mask.device)
    inputs[..., 0:3, :] = window.images[:, :, None]
    inputs[..., 3:6, :] = seen.colour
    inputs[..., 6:7, :] = seen.mask
    # Log masks reach -30 and beyond; scaled so that they are of the size of the other inputs.
    inputs[..., 7:8, :] = seen.log_mask.clamp(min=-20.0) / 5.0
    inputs[..., 8:11, :] = normalised(beta * seen.colour_gradient, 2)
    inputs[..., 11:12, :] = normalised(beta * seen.logit_gradient, 2)
    inputs[..., 12:13, :] = seen.responsibility
    inputs[..., 13:14, :] = normalised(seen.log_likelihood, 2)
    inputs[..., 14:16, :] = model.xy
    return inputs


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
               noise: Noise, engine: Callable | None = None) -> Belief:
    """
    Return the final belief about each frame of a clip, fields [B, T, K, N].

    engine: what refines, see `engine.Reference`; None: `refine_repeatedly` and `descend`.

    A frame's belief is final when it leaves the window, or at the end, where a descent may go over
    all of them. Raises ValueError for images or fields that do not fit the model.
    """
    batch, frames = images.shape[:2]
    model.check_images(images.flatten(0, 1))
    for field in fields:
        field.check(batch, *images.shape[-2:])
    refined, samples = engine or refine_repeatedly, noise.samples(schedule.sampled)
    final = []
    window, _ = begin(model, images[:, 0], schedule, noise, engine)
    window = finished(model, window, schedule)
    for frame in range(1, frames):
        if window.frames == schedule.window:
            final.append(window.packed[:, 0])
        window = extend(model, window, images[:, frame], fields[frame - 1], schedule.window)
        window, _ = refined(model, window, schedule.iterations, samples)
        window = finished(model, window, schedule)
    final.extend(window.packed.unbind(1))
    packed = torch.stack(final, 1)
    if schedule.descent:
        window = whole_clip(model, images, fields[:frames - 1], packed)
        lowest = engine.descend if engine else descend
        window, _ = lowest(model, window, schedule.descent)
        packed = finished(model, window, schedule).packed
    return Belief.unpack(packed)


@torch.no_grad()
def begin(model: Obai, image: Tensor, schedule: Schedule, noise: Noise,
          engine: Callable | None = None) -> tuple[Window, Tensor]:
    """
    Infer a first frame [B, 3, H, W]; return the window and its free energy by slot, [B, K] nats.

    engine: what refines, see `engine.Engine`; None: `refine_repeatedly`.

    Which slot goes for which object is settled by chance in the first refinements, and sometimes
    badly: two slots may share the background and leave an object out. The free energy tells, so
    that of several starts the best can be kept, for each sequence by itself. What is left out even
    then may be given a slot by a birth. The first start is in the middle of seeds, if the schedule
    has them, others are near them.
    """
    engine, samples = engine or refine_repeatedly, noise.samples(schedule.sampled)
    best, lowest = None, None
    for start in range(schedule.starts):
        window, energy = engine(
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


@torch.no_grad()
def refine_repeatedly(model: Obai, window: Window, iterations: int, noise: Noise
                      ) -> tuple[Window, Tensor]:
    """Return the window after some refinements, and the newest frame's free energy by slot
    [B, K] before the last of them, nats."""
    for _ in range(iterations):
        evaluation = evaluate(model, window, noise)
        window = refine(model, window, evaluation)
    return window, evaluation.free_energy.of_slots[:, -1]


def finished(model: Obai, window: Window, schedule: Schedule,
             best: Callable[[Obai, Window], Window] = best_velocities) -> Window:
    """
    Return a window after the refinements of its newest frame as they left it, or better.

    best: what does the work of `best_velocities`.
    """
    return best(model, window) if schedule.exact_velocities else window
