# SPDX-License-Identifier: Apache-2.0
"""Outlines of the sprites, as inside tests in the unit square of the sprite."""
from __future__ import annotations

import math

import torch
from torch import Tensor

# The order is part of the data format: `Scene.shape` holds indices into it.
SHAPES = ('square', 'ellipse', 'heart')


def square(u: Tensor, v: Tensor) -> Tensor:
    return (u.abs() < 0.5) & (v.abs() < 0.5)


def ellipse(u: Tensor, v: Tensor) -> Tensor:
    """Twice as wide as it is high."""
    return u.square() + (2.0 * v).square() < 0.25


def _heart_y_range() -> tuple[float, float]:
    t = torch.linspace(0.0, 2.0 * math.pi, 100_001, dtype=torch.float64)
    y = 13 * t.cos() - 5 * (2 * t).cos() - 2 * (3 * t).cos() - (4 * t).cos()
    return float(y.min()), float(y.max())


_HEART_LOW, _HEART_HIGH = _heart_y_range()


def heart(u: Tensor, v: Tensor) -> Tensor:
    """
    Inside of x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, upright.

    At each x the curve has two points, t and pi - t. Written in S = |sin t|^2, the terms even in
    cos t are their midpoint and the odd ones half their distance, so that the inside test is
    closed: |y - (-6 + 18 S - 8 S^2)| < 19 c - 8 c^3 with c = sqrt(1 - S).
    """
    sin2 = (2.0 * u).abs().clamp(max=1.0).pow(2.0 / 3.0)
    cos = (1.0 - sin2).sqrt()
    middle = -6.0 + 18.0 * sin2 - 8.0 * sin2.square()
    half = 19.0 * cos - 8.0 * cos.pow(3)
    # v points down in the image; the heart's y points up and fills the square's height.
    y = _HEART_LOW + (0.5 - v) * (_HEART_HIGH - _HEART_LOW)
    return ((y - middle).abs() < half) & (u.abs() < 0.5)


INSIDE = {'square': square, 'ellipse': ellipse, 'heart': heart}
