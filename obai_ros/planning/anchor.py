# SPDX-License-Identifier: Apache-2.0
"""Anchor: beliefs whose place, as a goal reads it, is where their object shows."""
from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from obai_ros.model.belief import Belief
from obai_ros.planning.goal import Sight
from obai_ros.planning.occlusion import free_to_see
from obai_ros.planning.preference import Preference

# Share of the newest observation in the rate at which the error grows.
NEWEST = 0.5
# px. A step of the error of more than this is another object, or another half of this one.
JUMP = 12.0


class Anchor:
    """
    Takes out of beliefs what their latents have drifted since they meant a place.

    A filter keeps each mask on its object, but over many frames its latents wander in directions
    that the masks do not depend on, and a preference, learned from beliefs that had no time to
    wander, reads another place from them. The error is seen wherever an object shows whole: it
    is the way to the goal in latents less the way to the goal from the middle of the mask. It is
    taken off along D, along which accelerations move the state; hidden objects keep the last one.
    """

    def __init__(self):
        self._error = self._rate = self._goal = None

    def hold(self, sight: Sight, preference: Preference, place: Tensor, active: Tensor,
             dynamics: Tensor, height: int, width: int) -> Belief:
        """
        Return the belief [K, N] of a sight, such that it shows the way to its goal.

        preference [K, N] and place [K, 2] px: the goal of each slot; active [K] bool: which have
        one. Raises nothing: a slot that was never seen whole keeps its belief.
        """
        belief = sight.belief
        if preference is not self._goal:  # what reads the way to a goal off a difference, once
            rows = dynamics.mT @ preference.precision
            self._goal, self._reading = preference, torch.linalg.solve(rows @ dynamics, rows)
        way = (self._reading @ (preference.mean - belief.mean)[..., None]).squeeze(-1)
        found = way - (place - sight.centre)
        whole = free_to_see(sight.centre, sight.mass, sight.objects, height, width)
        if self._error is None:
            self._error, self._rate = torch.zeros_like(found), torch.zeros_like(found)
            self._known = torch.zeros_like(whole)
        expected = self._error + self._rate
        step = found - self._error
        plausible = step.norm(dim=-1) < JUMP
        learn = (whole & self._known & plausible)[..., None]
        rate = torch.where(learn, torch.lerp(self._rate, step, NEWEST), self._rate)
        self._rate = torch.where((whole & ~plausible)[..., None], 0.0, rate)
        self._error = torch.where(whole[..., None], found, expected)
        self._known = (self._known | whole) & sight.objects
        self._error = torch.where(self._known[..., None], self._error, 0.0)
        self._rate = torch.where(self._known[..., None], self._rate, 0.0)
        shift = torch.where(active[..., None], self._error, 0.0) @ dynamics.mT
        drift = torch.where(active[..., None], self._rate, 0.0) @ dynamics.mT
        return replace(belief, mean=belief.mean + shift, velocity=belief.velocity + drift)
