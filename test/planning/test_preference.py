# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from obai_ros.planning.preference import GoalError, Preference


def test_diagonal_and_covariance_are_two_ways_to_say_the_same():
    mean, variance = torch.randn(3, 4), torch.rand(3, 4) + 0.1
    diagonal = Preference.diagonal(mean, variance)
    full = Preference.from_covariance(mean, torch.diag_embed(variance))
    torch.testing.assert_close(diagonal.precision, full.precision)
    torch.testing.assert_close(diagonal.log_determinant, -variance.log().sum(-1))
    torch.testing.assert_close(diagonal.variance_weight, variance.reciprocal())


def test_goals_are_selected_stacked_and_repeated():
    goals = Preference.diagonal(torch.randn(3, 4), torch.ones(3, 4))
    again = Preference.stack([goals[index] for index in range(3)])
    assert torch.equal(again.mean, goals.mean)
    assert torch.equal(again.precision, goals.precision)
    everywhere = goals[0].expand(2, 5)
    assert everywhere.mean.shape == (2, 5, 4)
    assert everywhere.precision.shape == (2, 5, 4, 4)
    assert torch.equal(everywhere.mean[1, 3], goals.mean[0])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(GoalError, match=r'needs a precision of shape \(3, 4, 4\)'):
        Preference(torch.zeros(3, 4), torch.zeros(3, 3))


def test_covariances_must_be_positive_definite():
    with pytest.raises(GoalError, match='positive definite'):
        Preference.from_covariance(torch.zeros(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]]))


def test_variances_must_be_positive():
    with pytest.raises(GoalError, match='variances of a preference must be positive'):
        Preference.diagonal(torch.zeros(2), torch.tensor([1.0, 0.0]))
