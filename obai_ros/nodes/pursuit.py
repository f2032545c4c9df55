# SPDX-License-Identifier: Apache-2.0
"""The goal in force: which slots it is about, and what it makes them prefer."""

import dataclasses
import math

import numpy as np
import torch

from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.preference import GoalError, Preference

NONE, ALL, OBJECT = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Target:
    """A request: kind NONE, ALL or OBJECT; to (x, y) px; OBJECT: the one at (u, v) px; spread: sd
    of the preferred position, px, 0 for the default.
    """

    kind: int = NONE
    x: float = 0.0
    y: float = 0.0
    u: float = 0.0
    v: float = 0.0
    spread: float = 0.0


class Pursuit:
    """Keeps a goal and says what it means for the slots of a model.

    bank: the model's GoalBank, or None with the reason in `bankless`; spread: default sd, px;
    height, width: of the model's image, px.
    """

    def __init__(self, bank: GoalBank | None, bankless: str, spread: float, height: int,
                 width: int):
        self.target = Target()
        self.preference = None
        self.slot = None
        self._bank = bank
        self._bankless = bankless
        self._spread = spread
        self._height, self._width = height, width

    def prefer(self, target: Target) -> Preference | None:
        """Return what the target makes a slot prefer; None for no goal.

        Raises GoalError when there is no such goal.
        """
        if target.kind == NONE:
            return None
        if target.kind not in (ALL, OBJECT):
            raise GoalError(f'kind is {target.kind}, expected {NONE} (none), {ALL} (all) or '
                            f'{OBJECT} (object)')
        self._require_inside('the goal', target.x, target.y)
        if self._bank is None:
            raise GoalError(self._bankless)
        if not 0 <= target.spread < math.inf:
            raise GoalError(f'spread is {target.spread:g}, expected a number of px, 0 or more')
        return self._bank.toward((target.x, target.y), sd_px=target.spread or self._spread)

    def choose(self, target: Target, beliefs) -> None:
        """Pursue this target from now on.

        beliefs: the newest, as read by obai_ros.messages.beliefs, or None; needed for OBJECT.
        Raises GoalError and keeps the goal before if the target cannot be pursued.
        """
        preference = self.prefer(target)
        slot = self._slot_at(target, beliefs) if target.kind == OBJECT else None
        self.target, self.preference, self.slot = target, preference, slot

    def set_spread(self, spread: float) -> None:
        """Use this default spread, px, for the present goal, too."""
        self._spread = spread
        self.preference = self.prefer(self.target)

    def slots(self, background: int, empty) -> torch.Tensor:
        """Return [K] bool: the slots that the goal is about.

        empty: [K] bool, slots that explain no object.
        """
        wanted = ~torch.as_tensor(empty, dtype=torch.bool)
        wanted[background] = False
        if self.target.kind == NONE:
            return torch.zeros_like(wanted)
        if self.target.kind == OBJECT:
            only = torch.zeros_like(wanted)
            only[self.slot] = wanted[self.slot]
            return only
        return wanted

    def _slot_at(self, target, beliefs):
        self._require_inside('(u, v)', target.u, target.v)
        if beliefs is None:
            raise GoalError('no beliefs have arrived yet, so it is not known which object is at '
                            f'({target.u:g}, {target.v:g}); ask again once perception runs')
        distance = np.linalg.norm(beliefs.centroid - (target.u, target.v), axis=-1)
        distance[beliefs.empty] = np.inf
        distance[beliefs.background] = np.inf
        nearest = int(distance.argmin())
        if not np.isfinite(distance[nearest]):
            raise GoalError('no slot holds an object at present, so there is none to push')
        return nearest

    def _require_inside(self, what, x, y):
        if not (0 <= x <= self._width and 0 <= y <= self._height):
            raise GoalError(f'{what} is ({x:g}, {y:g}), outside the image, which is '
                            f'{self._width} px wide and {self._height} px high')
