# SPDX-License-Identifier: Apache-2.0
"""Appearance: what shows of an object now, in one slot or in several."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from obai_ros.planning.occlusion import TOUCHING
from obai_ros.planning.silhouette import Evidence


@dataclass(frozen=True)
class Appearance:
    """
    What shows of one object.

    place, believed (x, y) px: the middle of its pixels, and where latents say it is; mass px;
    velocity px/frame: what latents say; colour [C]: in units of the error it is seen with;
    evidence: which pixels are its own; whole: next to nothing hides a part of it, and one
    slot holds it; hidden px: about how far what is hidden draws the middle of its pixels off.
    """

    place: np.ndarray
    believed: np.ndarray
    mass: float
    velocity: np.ndarray
    colour: np.ndarray
    evidence: Evidence
    whole: bool
    hidden: float


@dataclass(frozen=True)
class Shown:
    """
    What K slots show, whichever objects these are.

    place, believed, mass, velocity, colour: as of an `Appearance`, [K, ...] each; seen [K] bool:
    slots that show an object; touched [K]: along how much of its outline each touches others;
    labels [H, W] uint8: of `Sight`.
    """

    place: np.ndarray
    believed: np.ndarray
    mass: np.ndarray
    velocity: np.ndarray
    colour: np.ndarray
    seen: np.ndarray
    touched: np.ndarray
    labels: np.ndarray

    @cached_property
    def whole(self) -> np.ndarray:
        """[K] bool: slots that show an object of which next to nothing is hidden."""
        return self.seen & (self.touched <= TOUCHING)

    @cached_property
    def _free(self) -> np.ndarray:
        """[H, W] bool: pixels of what is behind all objects."""
        return self._labelled([0, *1 + np.flatnonzero(~self.seen)])

    def of(self, slots: list[int]) -> tuple[int, Appearance]:
        """Return how the object that these slots share looks, and the one that shows most of it.

        That slot stands for the object, which is where its parts are on average.
        """
        largest = max(slots, key=self.mass.__getitem__)
        place, mass = self.place[largest], self.mass[largest]
        if len(slots) > 1:
            place = np.average(self.place[slots], 0, self.mass[slots])
            mass = self.mass[slots].sum()
        # Half an object touches what hides it along half of its outline, and its middle is about
        # half its radius from where it would be.
        hidden = self.touched[largest] * np.sqrt(mass / np.pi)
        return largest, Appearance(
            place, self.believed[largest], mass, self.velocity[largest], self.colour[largest],
            Evidence(self._labelled(np.add(slots, 1)), self._free),
            bool(self.whole[largest]) and len(slots) == 1, hidden)

    def _labelled(self, some) -> np.ndarray:
        """Return [H, W] bool: which pixels have one of some labels."""
        chosen = np.zeros(256, bool)
        chosen[some] = True
        return chosen[self.labels]
