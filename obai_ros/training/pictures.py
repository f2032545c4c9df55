# SPDX-License-Identifier: Apache-2.0
"""Sheets of small pictures: frames, reconstructions and masks side by side."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.filter import Filter
from obai_ros.model.obai import Obai
from obai_ros.model.percept import Percept
from obai_ros.model.schedule import Schedule

GAP = 2
"""Pixels between pictures."""


def segmentation_sheet(images: Tensor, percepts: Sequence[Percept], scale: int = 1) -> Tensor:
    """
    Return a picture [3, h, w] in [0, 1] with one row per sequence and frame.

    images: [B, T, 3, H, W]; percepts: T of them, of B sequences. A row shows the frame, its
    reconstruction, and each slot's colours where its mask is, on white, the background's first.
    """
    rows = []
    for sequence in range(images.shape[0]):
        for frame, percept in enumerate(percepts):
            masks = percept.masks[sequence, :, None]
            slots = masks * percept.appearance[sequence] + (1.0 - masks)
            background = int(percept.background[sequence])
            slots = [slots[background], *slots[:background], *slots[background + 1:]]
            pictures = [images[sequence, frame], percept.reconstruction()[sequence], *slots]
            rows.append(side_by_side(pictures, dim=2))
    sheet = side_by_side(rows, dim=1).clamp(0.0, 1.0)
    return enlarged(sheet, scale)


@torch.no_grad()
def clip_sheet(model: Obai, images: Tensor, fields: Sequence[ActionField], schedule: Schedule,
               future: int = 2) -> Tensor:
    """
    Return a sheet of clips as a filter sees them, and below each clip what it expects next.

    images: [B, T, 3, H, W]; fields: T. The last rows have `future` predicted frames, from left to
    right, one row for each sequence.
    """
    stream = Filter(model, schedule)
    state, percepts = stream.start(len(images)), []
    for frame in range(images.shape[1]):
        state, percept = stream.step(state, images[:, frame],
                                     fields[frame - 1] if frame else None)
        percepts.append(percept)
    seen = segmentation_sheet(images, percepts)
    expected = stream.predict(state, future).images
    rows = side_by_side([side_by_side(list(row), dim=2) for row in expected], dim=1)
    blank = torch.ones(3, rows.shape[1], seen.shape[2] - rows.shape[2], device=rows.device)
    return side_by_side([seen, torch.cat([rows, blank], 2).clamp(0.0, 1.0)], dim=1)


def side_by_side(pictures: Sequence[Tensor], dim: int) -> Tensor:
    """Join pictures [3, h, w] with grey gaps: dim 1 stacks rows, dim 2 columns."""
    shape = list(pictures[0].shape)
    shape[dim] = GAP
    gap = torch.full(shape, 0.7, device=pictures[0].device)
    parts = [part for picture in pictures for part in (picture, gap)]
    return torch.cat(parts[:-1], dim)


def enlarged(picture: Tensor, scale: int) -> Tensor:
    """Return a picture [3, h, w] with so many times as many pixels each way, unblurred."""
    return picture.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
