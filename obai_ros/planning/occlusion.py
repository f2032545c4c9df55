# SPDX-License-Identifier: Apache-2.0
"""View: what of the objects shows, and whether enough of them will after a move."""
from __future__ import annotations

from dataclasses import dataclass
import math

import torch
from torch import Tensor

# An object can be pushed while a rim of about this width shows, px (see placement.BOX).
RIM = 5.0
# Discs whose centres are nearer than this share of the sum of their radii overlap.
OVERLAP = 1.0


@dataclass(frozen=True)
class View:
    """
    The visible extent of slots as discs.

    centre [B, K, 2] px: centroids of the masks; mass [B, K] px; showing [B, K] bool: the slot
    shows an object (it is neither empty nor the background).
    """

    centre: Tensor
    mass: Tensor
    showing: Tensor

    def may_be_hidden(self, displacement: Tensor) -> Tensor:
        """
        Return [B, K] bool: slots that another may leave no more than a rim of.

        `displacement` [B, K, 2] px: by how much each is going to move. Which one is nearer is
        not known, so that any object may hide any other that it is large enough for.
        """
        centre = self.centre + displacement
        radius = (self.mass / math.pi).clamp(min=0).sqrt()
        gap = (centre[:, :, None] - centre[:, None]).norm(dim=-1)
        # Disc k shows beyond disc j by gap + r_k - r_j, on the far side.
        rim = gap + radius[:, :, None] - radius[:, None]
        # Nothing hides itself: its own rim is left out.
        hidden = (rim < RIM) & self.showing[:, None]
        hidden.diagonal(dim1=-2, dim2=-1).fill_(False)
        return hidden.any(-1)


def free_to_see(centre: Tensor, mass: Tensor, objects: Tensor, height: int, width: int) -> Tensor:
    """
    Return [..., K] bool: slots whose object shows whole, so that its middle is that of its mask.

    centre [..., K, 2] px; mass [..., K] px; objects [..., K] bool: slots that show an object. Not
    those that touch the border of an image of height x width px, or the disc of another object.
    """
    radius = (mass / math.pi).clamp(min=0).sqrt()
    far = centre.new_tensor((width, height)) - centre
    inside = (centre.minimum(far) > radius[..., None]).all(-1)
    gap = (centre[..., :, None, :] - centre[..., None, :, :]).norm(dim=-1)
    touching = gap < OVERLAP * (radius[..., :, None] + radius[..., None, :])
    other = objects[..., None, :] & ~torch.eye(
        centre.shape[-2], dtype=torch.bool, device=centre.device)
    return objects & inside & ~(touching & other).any(-1)
