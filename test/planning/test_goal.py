# SPDX-License-Identifier: Apache-2.0
"""Which slots show an object."""
import pytest
import torch

from obai_ros.planning.goal import LARGEST, show_objects


@pytest.mark.parametrize('background', [1, torch.tensor([1, 1])], ids=['one frame', 'two'])
def test_neither_nothing_nor_the_background_nor_a_part_of_it_is_an_object(background):
    background = torch.as_tensor(background)
    lead = background.shape
    empty = torch.tensor([False, False, True, False, False]).expand(*lead, 5)
    mass = torch.tensor([20.0, 60.0, 5.0, LARGEST * 100 + 1, LARGEST * 100 - 1]).expand(*lead, 5)
    found = show_objects(empty, mass, background, 100)
    assert found.tolist() == torch.tensor([True, False, False, False, True]).expand(
        *lead, 5).tolist()
