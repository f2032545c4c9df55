# SPDX-License-Identifier: Apache-2.0
"""How many refinements fit between two images of a camera?"""
from __future__ import annotations

from collections import deque
from statistics import median

SHARE = 0.9
"""Part of the time between two images that may be spent on one; the rest is for what varies."""

MEMORY = 15
"""Images whose intervals and costs are remembered."""


class Pace:
    """
    Keeps count of when images come and what it took to process them.

    The cost of a frame has a part that does not depend on the refinements; counted among them it
    is right for the number that is in use, and so is the number that comes of it after a few
    frames.
    """

    def __init__(self):
        self._last: float | None = None
        self._intervals: deque[float] = deque(maxlen=MEMORY)
        self._costs: deque[float] = deque(maxlen=MEMORY)

    def came(self, stamp: float) -> None:
        """Note that an image came; stamp: s. Whoever sets the clock back begins anew."""
        if self._last is not None and stamp != self._last:
            if stamp < self._last:
                self._intervals.clear()
            else:
                self._intervals.append(stamp - self._last)
        self._last = stamp

    def took(self, seconds: float, iterations: int) -> None:
        """Note how long an image took, with so many refinements."""
        self._costs.append(seconds / max(iterations, 1))

    def iterations(self, wanted: int) -> int:
        """Return how many refinements there is time for: at least 1, at most `wanted`."""
        if not self._intervals or not self._costs:
            return wanted
        return max(1, min(wanted, int(SHARE * median(self._intervals) / median(self._costs))))
