# SPDX-License-Identifier: Apache-2.0
"""How well episodes went, in figures."""
from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.control.episodes import Episodes, Pilot

REST = 1.0
"""Slower than this is at rest, px/frame."""
ARRIVED = 4.0
"""Nearer than this is at the goal, px (the looser of the two measures of success)."""


def distances(episodes: Episodes) -> Tensor:
    """Return [B, S + 1, O] px: the distance of each object from its goal."""
    return (episodes.position - episodes.goal[:, None]).norm(dim=-1)


def arrived(episodes: Episodes, within: float) -> Tensor:
    """
    Return [B, O] bool: at the end the object is within so many px of its goal, and at rest.

    Whether it can be seen or not.
    """
    there = distances(episodes)[:, -1] <= within
    resting = episodes.velocity[:, -1].norm(dim=-1) < REST
    return there & resting


def succeeded(episodes: Episodes, within: float) -> Tensor:
    """Return [B] bool: every targeted object has arrived within so many px."""
    return (arrived(episodes, within) | ~episodes.targeted).all(-1)


def settle_steps(episodes: Episodes) -> Tensor:
    """
    Return [B] float: the step from which all targeted objects stay within ARRIVED of their goals.

    NaN where they do not stay there until the end.
    """
    there = (distances(episodes) <= ARRIVED) | ~episodes.targeted[:, None]
    staying = there.all(-1).flip(1).cumprod(1).sum(1)
    steps = episodes.position.shape[1] - staying
    return torch.where(staying > 0, steps.float(), torch.nan)


def overshoot(episodes: Episodes) -> Tensor:
    """
    Return [objects] of all targeted: how far beyond the goal they went, relative to the way.

    Measured along the way from the start to the goal; only ways of more than ARRIVED count.
    """
    way = episodes.goal - episodes.position[:, 0]
    length = way.norm(dim=-1)
    beyond = ((episodes.position - episodes.goal[:, None]) * way[:, None]).sum(-1)
    relative = beyond.amax(1).clamp(min=0) / length.square()
    return relative[episodes.targeted & (length > ARRIVED)]


def quantile(values: Tensor, share: float) -> float | None:
    """
    Return what this share of the values [n] lies below, None if there are none.

    Between two of them in a straight line, as everywhere in tables and charts: the median of an
    even number is the mean of the two in the middle.
    """
    return values.quantile(share).item() if len(values) else None


def summarise(episodes: Episodes) -> dict:
    """Return the figures of a benchmark, ready for JSON; None where nothing can be measured."""
    final = distances(episodes)[:, -1][episodes.targeted]
    settled = settle_steps(episodes)
    settled = settled[~settled.isnan()]
    beyond = overshoot(episodes)
    pushes = int(episodes.pushes.sum())
    targeted = int(episodes.targeted.sum())
    return {
        'episodes': len(episodes.goal),
        'steps': episodes.pushes.shape[1],
        'success_rate_2px': succeeded(episodes, 2.0).float().mean().item(),
        'success_rate_4px': succeeded(episodes, ARRIVED).float().mean().item(),
        'object_success_rate_4px':
            arrived(episodes, ARRIVED)[episodes.targeted].float().mean().item(),
        'final_distance_px': {'median': quantile(final, 0.5), 'p90': quantile(final, 0.9)},
        'settle_steps': {'median': quantile(settled, 0.5),
                         'settled_share': len(settled) / len(episodes.goal)},
        'overshoot': {'median': quantile(beyond, 0.5), 'p90': quantile(beyond, 0.9)},
        'energy': episodes.energy.sum().item() / max(targeted, 1),
        'pushes': pushes,
        'wrong_push_rate': int(episodes.wrong.sum()) / pushes if pushes else 0.0,
    }


def answers(pilot: Pilot) -> dict:
    """
    Return how many goals a pilot refused of those it was asked for, and why the first of them.

    Raises ValueError when it refused them all: such episodes say nothing about control.
    """
    refused = len(pilot.refused)
    if pilot.asked and refused == pilot.asked:
        raise ValueError(f'all {refused} goals were refused, so that nothing was measured; the '
                         f'first: {pilot.refused[0]}')
    return {'goals': pilot.asked, 'refused_goals': refused,
            'first_refusal': pilot.refused[0] if refused else None}
