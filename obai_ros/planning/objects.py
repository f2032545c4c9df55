# SPDX-License-Identifier: Apache-2.0
"""Objects: what is known of all that is, or was, in view, whichever slot holds it."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

# What a look says about an object a part of which may be hidden, as a share of what it says about
# one that shows whole, and of the share of its outline that touches no others.
HIDDEN = 0.3


@dataclass(frozen=True)
class Objects:
    """
    J objects that are, or were, in view, and K slots.

    number [J] int64: each object has one of its own, 0 where there is none yet; shown [J] bool:
    a slot shows it now; touched [J]: along how much of its outline it touches what may hide it,
    0..1; whole [J] bool: next to nothing hides a part of it; unseen [J] int64: frames
    since it was seen last; traits [2, J, A]: of its slot, without meaning unless shown, and of all
    that is remembered, its average colour and its silhouette. track [K] int64: which of the J a
    slot shows, -1 for none; place, velocity [K, 2] px, px/frame: of that object.
    """

    number: np.ndarray
    shown: np.ndarray
    touched: np.ndarray
    whole: np.ndarray
    unseen: np.ndarray
    traits: Tensor
    track: np.ndarray
    place: Tensor
    velocity: Tensor

    def weight(self) -> np.ndarray:
        """Return [J]: how much it says about an object what is seen of it now, 0..1."""
        return np.where(self.whole, 1.0, HIDDEN * (1.0 - self.touched)) * self.shown

    def to_slots(self, value: np.ndarray, nothing) -> np.ndarray:
        """Return [K] from [J], `nothing` where there is no object."""
        return np.where(self.track >= 0, value[self.track], nothing)
