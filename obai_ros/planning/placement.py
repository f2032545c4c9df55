# SPDX-License-Identifier: Apache-2.0
"""Placement: where to put a slot's acceleration so that its object moves, and no other."""

from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.contact import Contacts

# Two slots that both claim a pixel more than this share its acceleration.
SHARED = 0.2
# Weight of an error on an object relative to one on the background, which nothing can push.
OBJECT_WEIGHT, BACKGROUND_WEIGHT = 10.0, 1.0


def place(contacts: Contacts, acceleration: Tensor, active: Tensor, height: int,
          width: int) -> ActionField:
    """
    Return the action field [B, K points] that gives each slot its `acceleration` [B, K, 2].

    `active` [B, K] bool: slots to push; the others, and those that are not reachable, coast. The
    acceleration is put there as it is: divided by the mask's probability it would be right on
    average and too strong whenever the pixel is on the object. Only where two slots share a
    pixel the accelerations are solved for together, in px/frame^2, errors on objects weighing
    ten times those on the background.
    """
    # A copy made outside is a tensor like any other, whatever is to be computed with it.
    return ActionField(contacts.row, contacts.col, _pushes(contacts, acceleration, active).clone(),
                       height, width)


@torch.inference_mode()
def _pushes(contacts: Contacts, acceleration: Tensor, active: Tensor) -> Tensor:
    pushed = active & contacts.reachable
    wanted = torch.where(pushed[..., None], acceleration, 0.0)
    claimed = (contacts.probability > SHARED).sum(-1) >= 2
    shared = (claimed & pushed).any(-1)
    if shared.any():
        wanted = torch.where(shared[:, None, None], _shared_out(contacts, wanted, pushed), wanted)
    return wanted


def _shared_out(contacts: Contacts, wanted: Tensor, pushed: Tensor) -> Tensor:
    """
    Return psi [B, K, 2] that gives the slots the accelerations `wanted`, as nearly as may be.

    Minimises sum_k w_k E |sum_p z_pk psi_p - A_k|^2, where pixel p belongs to slot k with
    probability m_pk: squared bias plus the variance m (1 - m) psi^2.
    """
    membership = contacts.probability                        # [B, pixels, slots]
    slots = membership.shape[-1]
    weight = torch.full_like(wanted[..., 0], OBJECT_WEIGHT)
    if contacts.background is not None:
        weight.scatter_(1, contacts.background[:, None], BACKGROUND_WEIGHT)
    weighted = membership * weight[:, None]
    uncertainty = (weighted * (1 - membership)).sum(-1)
    gram = weighted @ membership.mT + torch.diag_embed(uncertainty)
    # Pixels that nobody pushes are taken out of the system.
    both = pushed[:, :, None] & pushed[:, None, :]
    identity = torch.eye(slots, dtype=wanted.dtype, device=wanted.device)
    gram = torch.where(both, gram, 0.0) + torch.where(pushed[:, :, None], 1e-4, 1.0) * identity
    answer = torch.linalg.solve(gram, torch.where(pushed[..., None], weighted @ wanted, 0.0))
    return torch.where(pushed[..., None], answer, 0.0)
