# SPDX-License-Identifier: Apache-2.0
"""Action fields Psi: sparse accelerations placed at pixels (section 2.2 of the paper)."""
from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class ActionField:
    """
    A batch of sparse action fields; every pixel that is not listed has zero acceleration.

    row, col: [B, P] int64, pixel coordinates (row down, column right), inside the grid.
    acceleration: [B, P, 2] float32, (ax, ay) in px/frame^2, x right, y down.
    height, width: the grid that row and col refer to, px. A field is never resized.

    Sequences of a batch that use fewer than P points are padded with zero accelerations at
    pixel (0, 0), which act on nothing. Several points may share a pixel: they add up.
    """

    row: Tensor
    col: Tensor
    acceleration: Tensor
    height: int
    width: int

    @staticmethod
    def empty(batch: int, height: int, width: int, device='cpu', points: int = 0) -> ActionField:
        """Return a field of zeros, with `points` padding rows per sequence."""
        index = torch.zeros(batch, points, dtype=torch.int64, device=device)
        return ActionField(index, index, torch.zeros(batch, points, 2, device=device),
                           height, width)

    @property
    def batch(self) -> int:
        return self.row.shape[0]

    def to(self, device) -> ActionField:
        return replace(self, row=self.row.to(device), col=self.col.to(device),
                       acceleration=self.acceleration.to(device))

    def __getitem__(self, part: slice) -> ActionField:
        """Return some of the sequences."""
        return replace(self, row=self.row[part], col=self.col[part],
                       acceleration=self.acceleration[part])

    def flat_index(self) -> Tensor:
        """Return [B, P] int64: index of each point's pixel in a flattened image."""
        return self.row * self.width + self.col

    def dense(self) -> Tensor:
        """Return the field as [B, H, W, 2], px/frame^2."""
        field = self.acceleration.new_zeros(self.batch, self.height * self.width, 2)
        field.scatter_add_(1, self.flat_index()[..., None].expand(-1, -1, 2), self.acceleration)
        return field.view(self.batch, self.height, self.width, 2)

    def check(self, batch: int, height: int, width: int) -> None:
        """Raise ValueError, in a sentence, unless this is a field on the given grid."""
        if (self.height, self.width) != (height, width):
            raise ValueError(
                f'the action field is for a {self.height}x{self.width} grid, but the images are '
                f'{height}x{width}: place actions on the grid of the image (a field is never '
                f'resized)')
        if self.row.shape != self.col.shape or self.acceleration.shape != (*self.row.shape, 2):
            raise ValueError(
                f'row {tuple(self.row.shape)}, col {tuple(self.col.shape)} and acceleration '
                f'{tuple(self.acceleration.shape)} of the action field do not belong together: '
                f'expected [B, P], [B, P] and [B, P, 2]')
        if self.batch != batch:
            raise ValueError(f'the action field holds {self.batch} sequences, but the images '
                             f'hold {batch}')
        if self.row.numel() == 0:
            return
        for index, size in (self.row, height), (self.col, width):
            first, last = (int(value) for value in index.aminmax())
            if 0 <= first and last < size:
                continue
            raise ValueError(f'the action field has a point outside its {height}x{width} grid')
        if not all(math.isfinite(value) for value in self.acceleration.aminmax()):
            raise ValueError('the action field has an acceleration that is not finite')
