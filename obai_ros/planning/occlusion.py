# SPDX-License-Identifier: Apache-2.0
"""View: what of the objects shows, and whether enough of them will after a move."""
from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from torch import Tensor

# An object can be pushed while a rim of about this width shows, px (see contact.BOX).
RIM = 5.0
# Along how much of its outline what shows whole may touch others: labels are not perfect.
TOUCHING = 0.05


@dataclass(frozen=True)
class View:
    """
    The visible extent of slots as discs.

    centre [..., K, 2] px: centroids of the masks; mass [..., K] px; showing [..., K] bool: the
    slot shows an object (it is neither empty nor the background).
    """

    centre: Tensor
    mass: Tensor
    showing: Tensor

    def may_be_hidden(self, displacement: Tensor) -> Tensor:
        """
        Return [..., K] bool: slots that another may leave no more than a rim of.

        `displacement` [..., K, 2] px: by how much each is going to move. Which one is nearer is
        not known, so that any object may hide any other that it is large enough for.
        """
        centre = self.centre + displacement
        radius = (self.mass / math.pi).clamp(min=0).sqrt()
        gap = (centre[..., :, None, :] - centre[..., None, :, :]).norm(dim=-1)
        # Disc k shows beyond disc j by gap + r_k - r_j, on the far side.
        rim = gap + radius[..., :, None] - radius[..., None, :]
        # Nothing hides itself: its own rim is left out.
        hidden = (rim < RIM) & self.showing[..., None, :]
        hidden.diagonal(dim1=-2, dim2=-1).fill_(False)
        return hidden.any(-1)


def free_to_see(labels: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """
    Return [K] bool: slots whose object shows whole, so that its middle is that of its pixels.

    For the arguments see `touching`; not those that touch along more than TOUCHING.
    """
    return objects & (touching(labels, objects) <= TOUCHING)


def touching(labels: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """
    Return [K]: along how much of its outline each slot touches another, or the image's border.

    labels [H, W] uint8: k + 1 where slot k is seen; objects [K] bool: slots that show an object,
    others hide nothing.
    """
    slots = len(objects)
    kind = np.zeros(256, np.uint16)    # 0: behind all objects or unknown, k + 1: slot k
    kind[1:slots + 1] = np.where(objects, np.arange(1, slots + 1), 0)
    kinds, (height, width) = slots + 2, labels.shape
    around = np.full((height + 2, width + 2), slots + 1, np.uint16)  # the border hides, too
    around[1:-1, 1:-1] = kind[labels]
    # How often each kind is next to each other, to its right or below it.
    pairs = np.zeros(kinds ** 2, np.int64)
    for one, other in ((around[1:], around[:-1]), (around[:, 1:], around[:, :-1])):
        edge = np.flatnonzero(one != other)
        pairs += np.bincount(kinds * one.ravel()[edge] + other.ravel()[edge],
                             minlength=kinds ** 2)
    pairs = pairs.reshape(kinds, kinds)
    pairs = pairs + pairs.T
    np.fill_diagonal(pairs, 0)
    outline = pairs.sum(1)
    return ((outline - pairs[:, 0]) / outline.clip(1))[1:slots + 1]
