# SPDX-License-Identifier: Apache-2.0
"""
Pixels: of images, in a row, and of pictures.

Everything that happens to a pixel in the mixture (eq. 3) happens to it alone; there an image is
[C, M] with M = H * W, row by row. Cameras, files and screens know pictures: [H, W, C], 0 .. 255.
"""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def in_a_row(image: Tensor) -> Tensor:
    """Turn [..., H, W] into [..., M]."""
    return image.flatten(-2)


def as_image(pixels: Tensor) -> Tensor:
    """Turn [..., M] into [..., H, W] (square images)."""
    size = round(pixels.shape[-1] ** 0.5)
    return pixels.unflatten(-1, (size, size))


def to_image(picture: np.ndarray, device='cpu') -> Tensor:
    """Turn a picture [H, W, 3] uint8 into an image [3, H, W] in [0, 1]."""
    return torch.from_numpy(picture).to(device).permute(2, 0, 1).float() / 255


def to_picture(image: Tensor) -> np.ndarray:
    """Turn an image [3, H, W] into a picture [H, W, 3] uint8; what is beyond [0, 1] is cut."""
    levels = (image.clamp(0, 1) * 255).round().to(torch.uint8)
    return levels.permute(1, 2, 0).contiguous().cpu().numpy()


def coordinates(size: int) -> Tensor:
    """Return [2, size, size]: x and y of a grid's points, from -1 to 1."""
    axis = torch.linspace(-1.0, 1.0, size)
    y, x = torch.meshgrid(axis, axis, indexing='ij')
    return torch.stack([x, y])
