# SPDX-License-Identifier: Apache-2.0
from hypothesis import given, settings, strategies as st
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
import torch

from obai_ros.model.belief import Belief
from obai_ros.planning.assignment import appearance_cost, cheapest, require_as_many
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


def objects(mean):
    log_sd = torch.full_like(mean, -2.0)
    return Belief(mean, torch.zeros_like(mean), log_sd, log_sd)


def test_objects_are_recognised_wherever_they_are(generator, dynamics):
    looks = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    moved = looks + 20 * torch.randn(3, 2, generator=generator, dtype=torch.float64) @ dynamics.mT
    order = torch.tensor([2, 0, 1])
    here, there = objects(looks), objects(moved[order])
    cost = appearance_cost(here, there, dynamics)
    assert cheapest(cost.tolist()) == order.argsort().tolist()
    same = appearance_cost(here, objects(moved), dynamics).diagonal()
    torch.testing.assert_close(same, torch.zeros(3, dtype=torch.float64))


def test_another_number_of_objects_is_refused():
    require_as_many(3, 3)
    with pytest.raises(GoalError, match='shows 2 objects, but 3'):
        require_as_many(3, 2)
