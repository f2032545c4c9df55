# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
import torch

from obai_ros.benchmark.operations import count_operations
from obai_ros.training.operations import learning_operations, OperationCounter


@pytest.mark.parametrize('streams, frames, refined', [
    (0, 3, 2 * 1 + 2 * 2 + 2 * 2),
    # A life of 4 frames: a step of one alone and its next, and one of two more.
    (4, 2, ((2 * 1 + 2 * 2) + (2 * 2 + 2 * 2)) / 2)])
def test_learning_costs_more_than_its_refinements_and_less_than_twice_as_much(
        recipe, streams, frames, refined):
    """
    Against a count of one refinement that was made without any learning.

    refined: how often one is done about a frame, of 2 iterations and a window of 2 frames.
    """
    stage = replace(recipe.stages[1], streams=streams, longest=4, frames=frames)
    each = count_operations(recipe.model).iteration * recipe.model.num_slots
    found = learning_operations(replace(recipe, stages=(recipe.stages[0], stage)), 1)
    assert refined * each < found < 2 * refined * each


def test_operations_are_counted_with_and_without_gradients():
    image, weights = torch.zeros(1, 3, 8, 8), torch.zeros(5, 3, 3, 3, requires_grad=True)
    one = 2 * 3 * 3 * 3 * 5 * 8 * 8
    with OperationCounter() as counter:
        drawn = torch.nn.functional.conv2d(image, weights, padding=1)
    assert counter.total == one
    with counter:
        drawn.sum().backward()  # of the weights only
    assert counter.total == 2 * one
    with torch.no_grad(), OperationCounter() as counter:
        torch.zeros(2, 3) @ torch.zeros(3, 4)
    assert counter.total == 2 * 2 * 3 * 4
