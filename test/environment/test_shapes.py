# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch

from obai_ros.environment.shapes import INSIDE, SHAPES, ellipse, heart, square


def grid(n=801):
    axis = (torch.arange(n, dtype=torch.float64) + 0.5) / n - 0.5
    v, u = torch.meshgrid(axis, axis, indexing='ij')
    return u, v


def test_areas_are_those_of_the_shapes():
    u, v = grid()
    assert float(square(u, v).double().mean()) == pytest.approx(1.0)
    assert float(ellipse(u, v).double().mean()) == pytest.approx(math.pi / 8, abs=1e-3)


def test_heart_is_the_inside_of_its_parametric_curve():
    t = torch.linspace(0, 2 * math.pi, 4001, dtype=torch.float64)
    x = 16 * t.sin() ** 3
    y = 13 * t.cos() - 5 * (2 * t).cos() - 2 * (3 * t).cos() - (4 * t).cos()
    # Into the unit square, upright in an image whose y axis points down.
    u, v = x / 32, 0.5 - (y - y.min()) / (y.max() - y.min())
    # Slightly shrunk towards a point well inside, the curve is inside; slightly grown, outside.
    cu, cv = 0.0, -0.1
    inner = heart(cu + 0.995 * (u - cu), cv + 0.995 * (v - cv))
    outer = heart(cu + 1.005 * (u - cu), cv + 1.005 * (v - cv))
    assert inner.double().mean() > 0.995  # the notch is not star-shaped around any point
    assert outer.double().mean() < 0.005


def test_heart_stands_upright_and_fills_its_square():
    u, v = grid()
    inside = heart(u, v)
    rows, cols = inside.any(1).nonzero(), inside.any(0).nonzero()
    assert rows.min() < 5 and rows.max() > 795 and cols.min() < 5 and cols.max() > 795
    widths = inside.sum(1)
    assert widths[200] > widths[600]  # wide on top, pointed below


@pytest.mark.parametrize('name', SHAPES)
def test_nothing_reaches_beyond_the_bounding_square(name):
    far = torch.tensor([-0.6, 0.6, 3.0])
    zero = torch.zeros(3)
    assert not INSIDE[name](far, zero).any()
    assert not INSIDE[name](zero, far).any()
