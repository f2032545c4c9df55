# SPDX-License-Identifier: Apache-2.0
"""
Pixels in a row.

Everything that happens to a pixel in the mixture (eq. 3) happens to it alone; there an image is
[C, M] with M = H * W, row by row.
"""
from __future__ import annotations

import torch
from torch import Tensor


def in_a_row(image: Tensor) -> Tensor:
    """Turn [..., H, W] into [..., M]."""
    return image.flatten(-2)


def as_image(pixels: Tensor) -> Tensor:
    """Turn [..., M] into [..., H, W] (square images)."""
    size = round(pixels.shape[-1] ** 0.5)
    return pixels.unflatten(-1, (size, size))


def coordinates(size: int) -> Tensor:
    """Return [2, size, size]: x and y of a grid's points, from -1 to 1."""
    axis = torch.linspace(-1.0, 1.0, size)
    y, x = torch.meshgrid(axis, axis, indexing='ij')
    return torch.stack([x, y])
