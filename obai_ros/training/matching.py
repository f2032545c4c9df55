# SPDX-License-Identifier: Apache-2.0
"""Which slot holds which object? Slots and true objects have no common numbering."""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def overlap(winner: Tensor, labels: Tensor, num_slots: int, num_objects: int) -> Tensor:
    """
    Return [B, O, K]: intersection over union of every visible object with every slot.

    winner: [B, H, W], each pixel's most probable slot. labels: [B, H, W], 0 = background,
    n = object n. An object without a visible pixel has no overlap with anything.
    """
    slots = F.one_hot(winner.flatten(1).long(), num_slots).float()  # [B, M, K]
    objects = F.one_hot(labels.flatten(1).long(), num_objects + 1)[..., 1:].float()  # [B, M, O]
    shared = objects.transpose(1, 2) @ slots
    union = objects.sum(1)[..., None] + slots.sum(1)[:, None] - shared
    return shared / union.clamp(min=1.0)


def matched_slots(masks: Tensor, labels: Tensor, num_objects: int, background: Tensor,
                  threshold: float = 0.5) -> tuple[Tensor, Tensor]:
    """
    Return slot [B, O] int64 (-1: none) and its IoU [B, O] for every object.

    masks: [B, K, H, W]. background: [B], the background's slot, which holds no object. Above a
    threshold of one half at most one slot can qualify, so that no assignment has to be solved.
    """
    if not 0.5 <= threshold < 1.0:
        raise ValueError(f'threshold is {threshold}: expected [0.5, 1), or matches are ambiguous')
    iou = overlap(masks.argmax(1), labels, masks.shape[1], num_objects)
    behind = F.one_hot(background, masks.shape[1]).bool()[:, None]
    best, slot = iou.masked_fill(behind, 0.0).max(-1)
    return torch.where(best > threshold, slot, -1), best
