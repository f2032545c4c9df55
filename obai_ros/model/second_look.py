# SPDX-License-Identifier: Apache-2.0
"""
A second look at a frame of a stream: is there an object that nothing explains, or what would be
believed if the stream began here?

Beyond the paper, whose clips have four frames. Nothing in the model holds latents in place that
the decoder does not depend on, so that over a long stream beliefs drift to where the networks
have never been, and an object that was missed, or that comes into view, is never found. Births
(`birth`) mend the latter, and inference from the initial belief knows neither trouble. Where they
explain a frame better, their beliefs are taken over, each in the slot that held the same place,
with that slot's velocity.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from obai_ros.model.belief import ActionBelief, Belief, bounded
from obai_ros.model.birth import give_birth
from obai_ros.model.engine import Engine
from obai_ros.model.inference import begin, finished
from obai_ros.model.likelihood import Mixture, mixture
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.pixels import as_image
from obai_ros.model.proposal import can_propose
from obai_ros.model.schedule import Schedule
from obai_ros.model.window import open_window, Past, put, select, Window

MARGIN = 5.0
"""Nats by which a new explanation has to be better than the old one."""

MOST_STARTS = 3
"""A second look is begun as often as a first, but no more often than that: it has to keep up."""

UNEXPLAINED = 4.0
"""How many times it counts what the assignments leave unexplained."""

SHARE = 0.25
"""Of that, what a new explanation has to explain at least. Noise, and light that falls off, are
left over by all explanations, now a little more and now a little less."""

ENOUGH = 5.0
"""Nats: where assignments leave less than this unexplained, nobody looks again. Half of all frames
leave less than half of it, and a look costs more than all else that is done about a frame."""

JUMP = 0.3
"""Nats per pixel by which the free energy rises from one frame to the next when something has
happened that the beliefs do not know of; a video that goes on stays below it."""

SAME_OBJECT = 0.3
"""Overlap (IoU of soft masks) from which on a slot keeps its velocity."""


@torch.no_grad()
def look_again(model: Obai, window: Window, energy: Tensor, due: Tensor, schedule: Schedule,
               noise: Noise, engine: Engine = Engine(), afresh: bool = True
               ) -> tuple[Window, Tensor, Tensor]:
    """
    Look for a better explanation of the newest frame of a window.

    window: refined, at least one frame. energy: [B, K], free energy of its newest frame by slot,
    nats. due: [B] bool, the streams in which it is to be done. engine: what refines. afresh:
    whether to look as if the frame were the first where births do not do. Returns window and
    energy, with better beliefs where there are any, and where there are: [B] bool. A
    frame is better explained if its reconstruction term, and what the assignments leave
    unexplained, are lower by `MARGIN`: beliefs that have drifted for some frames may draw outlines
    worse than fresh ones that leave out an object. Nothing is done where they leave next to
    nothing unexplained, and nothing is taken that explains less than `SHARE` of what they do.
    """
    samples = noise.samples(schedule.sampled)
    old, left = _explained(model, window, samples)
    masks, renewed = old.mask[:, :, 0], torch.zeros_like(due)
    best = old.negative_log_likelihood() + UNEXPLAINED * (1.0 - SHARE) * left - MARGIN
    for way in _ways(model, schedule, engine, afresh):
        index = (due & (left > ENOUGH)).nonzero().squeeze(1)
        if not len(index):
            break
        # Velocities as the networks left them mean little: those of least free energy go on.
        part = finished(model, window[index], schedule)
        fresh, fresh_energy = way(part, noise[index])
        fresh = finished(model, fresh, schedule)
        new, remains = _explained(model, fresh, samples[index])
        after = new.negative_log_likelihood() + UNEXPLAINED * remains
        order, overlap = matched(masks[index], new.mask[:, :, 0])
        fresh, fresh_energy = _ordered(fresh, order), fresh_energy.gather(1, order)
        taken = after < best[index]
        window = put(window, index, select(taken, _taken_over(model, part, fresh, overlap), part))
        chosen = index[taken]
        energy = energy.index_copy(0, chosen, fresh_energy[taken])
        masks = masks.index_copy(0, chosen, fresh.mask[taken])
        left = left.index_copy(0, chosen, remains[taken])
        best = best.index_copy(0, chosen, after[taken])
        renewed[chosen] = True
    return window, energy, renewed


Way = Callable[[Window, Noise], tuple[Window, Tensor]]


def _ways(model: Obai, schedule: Schedule, engine: Engine, afresh: bool) -> Iterator[Way]:
    """Yield ways to look at the newest frame alone; they return its free energy by slot, too."""
    def mended(window: Window, noise: Noise) -> tuple[Window, Tensor]:
        alone = replace(open_window(model, _newest(window)),
                        packed=window.packed[:, -1:], mask=window.mask)
        return give_birth(model, alone, schedule.births, noise.samples(schedule.sampled), engine)

    def begun(window: Window, noise: Noise) -> tuple[Window, Tensor]:
        starts = min(schedule.starts, MOST_STARTS)
        return begin(model, _newest(window), replace(schedule, starts=starts), noise,
                     engine)

    if schedule.births and can_propose(model):
        yield mended
    if afresh:
        yield begun


def _newest(window: Window) -> Tensor:
    return as_image(window.images[:, -1])


def _ordered(window: Window, order: Tensor) -> Window:
    """Return a window of one frame with its slots in another order, [B, K] int64."""
    def ordered(value: Tensor) -> Tensor:
        return value.gather(2, order[:, None, :, None].expand_as(value))

    return replace(window, packed=ordered(window.packed), hidden=ordered(window.hidden),
                   cell=ordered(window.cell), mask=ordered(window.mask[:, None])[:, 0])


def _taken_over(model: Obai, window: Window, fresh: Window, overlap: Tensor) -> Window:
    """
    Return the window as if the beliefs of `fresh` about its newest frame had always been held.

    overlap: [B, K] of its slots with what they held before: above SAME_OBJECT they go on moving.
    """
    before, belief = window.belief[:, -1], fresh.belief[:, 0]
    same = (overlap > SAME_OBJECT)[..., None]
    belief = replace(
        belief, velocity=torch.where(same, before.velocity, belief.velocity),
        velocity_log_sd=torch.where(same, before.velocity_log_sd, belief.velocity_log_sd))
    return replace(
        _as_if_always_believed(model, window, belief), mask=fresh.mask,
        hidden=_newest_replaced(window.hidden, fresh.hidden[:, 0]),
        cell=_newest_replaced(window.cell, fresh.cell[:, 0]))


def _explained(model: Obai, window: Window, noise: Noise) -> tuple[Mixture, Tensor]:
    """Return how a sample of the newest beliefs explains its image, and what is left, [B]."""
    belief = window.belief[:, -1]
    epsilon = noise.normal(*belief.mean.shape, dtype=belief.mean.dtype)
    output = model.decode(belief.mean + belief.log_sd.exp() * epsilon)
    found = mixture(output, window.images[:, -1], model.config.sigma_o)
    return found, found.unexplained(window.images[:, -1], model.config.sigma_o)


def matched(masks: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """
    Match slots by the overlap of their masks, [B, K, M] each, one to one and best in sum.

    Returns order [B, K] int64, the slot of `others` that belongs to each slot of `masks`, and
    their overlap [B, K], intersection over union of soft masks.
    """
    intersection = torch.minimum(masks[:, :, None], others[:, None]).sum(-1)
    union = torch.maximum(masks[:, :, None], others[:, None]).sum(-1)
    overlap = intersection / union.clamp(min=1e-6)
    order = torch.stack([
        torch.from_numpy(linear_sum_assignment(each, maximize=True)[1])
        for each in overlap.cpu().double().numpy()]).to(masks.device)
    return order, overlap.gather(2, order[..., None])[..., 0]


def _as_if_always_believed(model: Obai, window: Window, newest: Belief) -> Window:
    """Return the window with the beliefs that lead to `newest`, back to the frame before it."""
    beliefs = [newest]
    actions = window.action_belief
    for frame in reversed(range(window.frames - 1)):
        beliefs.append(_before(model, beliefs[-1], actions[:, frame]))
    packed = torch.stack([belief.pack() for belief in reversed(beliefs)], 1)
    past = window.past
    if past is not None:
        past = Past(_before(model, beliefs[-1], past.action), past.action)
    return replace(window, packed=bounded(packed), past=past)


def _before(model: Obai, belief: Belief, action: ActionBelief) -> Belief:
    """Return the belief about the frame before, had the dynamics been exact (eq. 5-6)."""
    velocity = belief.velocity - model.dynamics.push(action.mean)
    return replace(belief, mean=belief.mean - belief.velocity, velocity=velocity)


def _newest_replaced(value: Tensor, newest: Tensor) -> Tensor:
    return torch.cat([value[:, :-1], newest[:, None]], 1)

