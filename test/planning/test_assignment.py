# SPDX-License-Identifier: Apache-2.0
from hypothesis import given, settings, strategies as st
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
import torch

from obai_ros.planning.assignment import (
    cheapest, MOST_OUTLINE, require_as_many, Unlikeness)
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.preference import GoalError


@settings(deadline=None)
@given(rows=st.integers(1, 7), columns=st.integers(1, 7), seed=st.integers(0, 10_000),
       whole=st.booleans())
def test_is_as_cheap_as_scipys(rows, columns, seed, whole):
    """Whole numbers make many equally good assignments, which must be as cheap too."""
    random = np.random.default_rng(seed)
    cost = random.normal(size=(rows, columns))
    if whole:
        cost = random.integers(0, 4, (rows, columns))
    found = cheapest(cost.tolist())
    matched = [(row, column) for row, column in enumerate(found) if column >= 0]
    assert len(matched) == len({column for _, column in matched}) == min(rows, columns)
    assert sum(cost[pair] for pair in matched) == pytest.approx(
        cost[linear_sum_assignment(cost)].sum())


def test_nobody_to_match_with():
    assert cheapest([]) == [] and cheapest([[], []]) == [-1, -1]


@pytest.fixture
def bank(generator):
    """Objects whose outline is seen with an error of 0.1, and whose colour is seen as it is."""
    count = 500
    colour, size = torch.rand(count, 3, generator=generator), torch.full((count,), 9.0)
    outline = torch.ones(count, 7) + 0.1 * torch.randn(count, 7, generator=generator)
    return GoalBank(torch.rand(count, 2), torch.zeros(count, dtype=torch.int64), colour, size,
                    size, torch.zeros(count, 2), torch.ones(count, 2),
                    torch.cat([colour, size[:, None], outline], 1), 'm', (64, 64), ('square',))


def test_objects_are_known_by_how_they_look(bank):
    order = torch.tensor([2, 0, 1])
    unlike = Unlikeness(bank)
    cost = unlike(bank.traits[:3], bank.traits[:3][order])
    assert cheapest(cost.tolist()) == order.argsort().tolist()
    torch.testing.assert_close(unlike(bank.traits[:3], bank.traits[:3]).diagonal(), torch.zeros(3))


def test_another_outline_is_no_more_unlike_than_something_hidden(bank):
    """However little shows of an object, one of another colour is more unlike."""
    unlike, whole = Unlikeness(bank), bank.traits[:1]
    sliver, other = whole.clone(), whole.clone()
    sliver[:, 3:] *= 5
    other[:, 0] += 0.25
    assert unlike(whole, sliver) == pytest.approx(MOST_OUTLINE)
    assert unlike(whole, other) > MOST_OUTLINE


def test_another_number_of_objects_is_refused():
    require_as_many(3, 3)
    with pytest.raises(GoalError, match='shows 2 objects, but 3'):
        require_as_many(3, 2)
