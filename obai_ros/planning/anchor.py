# SPDX-License-Identifier: Apache-2.0
"""Anchor: beliefs whose place, as a goal reads it, is where their object is."""
from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from obai_ros.model.belief import Belief
from obai_ros.planning.objects import Objects
from obai_ros.planning.preference import Preference


class Anchor:
    """
    Takes out of beliefs what their latents have drifted since they meant a place.

    A filter keeps each mask on its object, but over many frames its latents wander in directions
    that the masks do not depend on, and a preference, learned from beliefs that had no time to
    wander, reads another place from them; and what it believes about velocities is worth less
    than the way that an object has made. Beliefs are hence moved along D, along which
    accelerations move the state, until the way to the goal is the way from where the object is.

    preference [K, N] and place [K, 2] px: the goal of each slot; dynamics: D [N, 2].
    """

    def __init__(self, preference: Preference, place: Tensor, dynamics: Tensor):
        rows = dynamics.mT @ preference.precision
        self._reading = torch.linalg.solve(rows @ dynamics, rows)  # the way, off a difference
        self._goal, self._place, self._dynamics = preference.mean, place, dynamics

    def hold(self, belief: Belief, objects: Objects, active: Tensor) -> Belief:
        """Return the belief [K, N]; only that of slots which are `active` [K] bool is changed."""
        way = (self._reading @ (self._goal - belief.mean)[..., None]).squeeze(-1)
        shift = (way - (self._place - objects.place)) @ self._dynamics.mT
        velocity = objects.velocity @ self._dynamics.mT
        return replace(
            belief, mean=torch.where(active[:, None], belief.mean + shift, belief.mean),
            velocity=torch.where(active[:, None], velocity, belief.velocity))
