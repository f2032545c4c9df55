# SPDX-License-Identifier: Apache-2.0
"""
The order in which a model keeps pixels.

Everything that happens to a pixel in the mixture (eq. 3) happens to it alone, so the order of
pixels is free. A subpixel decoder produces r x r px per cell of a G x G grid; kept in that order
([C, r, r, G, G], 'planar') its output needs no shuffling, and a convolution over r x r patches is
a 1x1 convolution. With r = 1 the order is the ordinary one. What is written out (`refinement`)
keeps them cell by cell instead, [G * G, C, r * r].
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def to_planar(image: Tensor, r: int) -> Tensor:
    """Turn [..., C, H, W] into [..., C, M] with M = H*W in planar order."""
    *lead, channels, height, width = image.shape
    cells = F.pixel_unshuffle(image.reshape(-1, channels, height, width), r)
    return cells.reshape(*lead, channels, height * width)


def from_planar(planar: Tensor, r: int) -> Tensor:
    """Turn [..., C, M] in planar order into [..., C, H, W] (square images)."""
    *lead, channels, pixels = planar.shape
    grid = round(pixels ** 0.5) // r
    cells = planar.reshape(-1, channels * r * r, grid, grid)
    return F.pixel_shuffle(cells, r).reshape(*lead, channels, grid * r, grid * r)


def planar_index(row: Tensor, col: Tensor, image_size: int, r: int) -> Tensor:
    """Return the index in 0..M-1 of pixels (row, col) in planar order."""
    grid = image_size // r
    return ((row % r) * r + col % r) * grid * grid + (row // r) * grid + col // r


def coordinates(size: int) -> Tensor:
    """Return [2, size, size]: x and y of a grid's points, from -1 to 1."""
    axis = torch.linspace(-1.0, 1.0, size)
    y, x = torch.meshgrid(axis, axis, indexing='ij')
    return torch.stack([x, y])


def to_cells(planar: Tensor, r: int) -> Tensor:
    """Turn [..., C, M] in planar order into [..., G * G, C, R], cell by cell."""
    return planar.unflatten(-1, (r * r, -1)).movedim(-1, -3)


def from_cells(cells: Tensor) -> Tensor:
    """Turn [..., G * G, R] into [..., M] in planar order."""
    return cells.movedim(-1, -2).flatten(-2)


def cell_index(row: Tensor, col: Tensor, image_size: int, r: int) -> Tensor:
    """Return the index of pixels (row, col) in 0..M-1, cell by cell."""
    return (row // r * (image_size // r) + col // r) * r * r + row % r * r + col % r
