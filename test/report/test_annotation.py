# SPDX-License-Identifier: Apache-2.0
"""Heads above their columns, crosses at their places."""
import pytest
import torch

from obai_ros.report.annotation import HEIGHT, with_cross, with_heads


@pytest.mark.parametrize('heads', [['one', 'two'], ['much too long for such a column', '', 'i']])
def test_heads_are_written_above_the_middle_of_their_columns(heads):
    picture = torch.rand(3, 20, 240)
    found = with_heads(picture, heads)
    assert found.shape == (3, HEIGHT + 20, 240) and torch.equal(found[:, HEIGHT:], picture)
    width = 240 // len(heads)
    for number, head in enumerate(heads):
        dark = (found[0, :HEIGHT, number * width:(number + 1) * width] < 0.9).any(0).nonzero()
        assert bool(len(dark)) == bool(head)
        if head:
            assert abs(float(dark.float().mean()) - width / 2) < width / 8
            assert 0 < int(dark.min()) and int(dark.max()) < width - 1


@pytest.mark.parametrize('x, y', [(30.0, 20.0), (5.4, 8.6)])
def test_a_cross_is_where_it_is_said(x, y):
    picture = torch.full((3, 40, 60), 0.5)
    found = with_cross(picture, x, y, arm=4)
    white = (found == 1.0).all(0).nonzero()
    assert white.float().mean(0).tolist() == pytest.approx([round(y), round(x)], abs=0.5)
    assert len(white) == 2 * 9 - 1 and (found == 0.0).any()
    assert torch.equal(picture, torch.full((3, 40, 60), 0.5))
