# SPDX-License-Identifier: Apache-2.0
"""Two ways of playing the same episodes: equal, or parted at a step that is named."""
import pytest
import torch

from obai_ros.control.agreement import compare, deviation, TOLERANCE


@pytest.fixture
def played():
    generator = torch.Generator().manual_seed(0)
    return 64 * torch.rand(3, 6, 2, 2, generator=generator)


def judge(one, other):
    goal = torch.zeros(3, 2, 2)
    return compare(one, other, goal, torch.tensor([[True, False]]).expand(3, 2))


def test_what_is_equal_agrees(played):
    figures = judge(played, played + 0.5 * TOLERANCE / 2 ** 0.5)
    assert figures['agree'] and figures['agreeing'] == 3 and figures['steps'] == 5
    assert figures['first_deviation_step'] == [None, None, None]
    expected = played[:, -1, 0].norm(dim=-1).median().item()
    assert figures['final_distance_px']['nodes'] == pytest.approx(expected)


def test_one_object_that_goes_astray_for_a_frame_is_seen(played):
    other = played.clone()
    other[1, 4, 1] += torch.tensor([0.0, 3.0])
    assert deviation(played, other).tolist() == pytest.approx([0, 3, 0])
    figures = judge(played, other)
    assert not figures['agree'] and figures['agreeing'] == 2
    assert figures['first_deviation_step'] == [None, 4, None]
