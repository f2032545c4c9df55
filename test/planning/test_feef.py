# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from obai_ros.model.belief import ActionBelief, Belief
from obai_ros.model.dynamics import moved_on
from obai_ros.planning.feef import eq14, feef, forecast, gaussian_divergence
from obai_ros.planning.preference import Preference


def test_divergence_is_that_of_torch(make_belief, make_preference):
    belief, goal = make_belief(), make_preference()
    variance = (2 * belief.log_sd).exp()
    found = gaussian_divergence(belief.mean[..., None, :], variance[..., None, :], goal)
    normal = torch.distributions.MultivariateNormal
    expected = torch.distributions.kl_divergence(
        normal(belief.mean, torch.diag_embed(variance)),
        normal(goal.mean, precision_matrix=goal.precision))
    torch.testing.assert_close(found.squeeze(-1), expected)


def test_divergence_vanishes_only_at_the_preference():
    mean, variance = torch.randn(1, 6), torch.rand(1, 6) + 0.5
    goal = Preference.diagonal(mean, variance)
    same = gaussian_divergence(mean[:, None], variance[:, None], goal)
    assert same.abs().max() < 1e-5
    assert (gaussian_divergence(mean[:, None] + 0.1, variance[:, None], goal) > 1e-3).all()
    assert (gaussian_divergence(mean[:, None], 2 * variance[:, None], goal) > 1e-3).all()


def test_forecast_agrees_with_simulation(generator, dynamics, make_belief):
    """Means exactly, variances within the error of 200,000 sampled futures."""
    belief = make_belief(1, 1, sd=0.2)
    plan = torch.randn(1, 1, 4, 2, generator=generator, dtype=torch.float64)
    future = forecast(belief, dynamics, plan, state_noise=0.1)
    count = 200_000

    def noise(sd):
        return sd * torch.randn(count, 6, generator=generator, dtype=torch.float64)

    state, velocity = belief.mean[0, 0] + noise(0.2), belief.velocity[0, 0] + noise(0.2)
    for tau in range(4):
        velocity = velocity + plan[0, 0, tau] @ dynamics.mT + noise(0.1)
        state = state + velocity + noise(0.1)
        torch.testing.assert_close(future.mean[0, 0, tau], state.mean(0), atol=0.02, rtol=0)
        torch.testing.assert_close(future.variance[0, 0, tau], state.var(0), atol=0, rtol=0.02)
        torch.testing.assert_close(future.velocity_variance[0, 0, tau], velocity.var(0),
                                   atol=0, rtol=0.02)


def test_a_forecast_begins_with_eq_5_and_6(generator, dynamics, make_belief):
    belief = make_belief()
    plan = torch.randn(2, 3, 2, 2, generator=generator, dtype=torch.float64)
    once, twice = belief, belief
    for frame in range(2):
        certain = ActionBelief(plan[..., frame, :], torch.full_like(plan[..., 0, :], -torch.inf))
        once, twice = twice, moved_on(twice, certain, dynamics, 0.1)
    future = forecast(belief, dynamics, plan, 0.1)
    torch.testing.assert_close(once.mean, future.mean[..., 0, :])
    torch.testing.assert_close(once.log_sd, future.variance[..., 0, :].log() / 2)
    torch.testing.assert_close(twice.mean, future.mean[..., 1, :])
    torch.testing.assert_close(twice.velocity, future.velocity[..., 1, :])


def test_eq14_minimises_eq13_for_one_frame_from_rest(dynamics, make_belief, make_preference):
    belief, goal = make_belief(), make_preference()
    belief = Belief(belief.mean, torch.zeros_like(belief.mean), belief.log_sd, belief.log_sd)
    plan = eq14(belief.mean, goal, dynamics)[..., None, :].requires_grad_()
    feef(forecast(belief, dynamics, plan, 0.1), goal).sum().backward()
    assert plan.grad.abs().max() < 1e-9


def test_accelerating_toward_the_goal_lowers_feef_and_away_raises_it():
    """Signs: the goal lies to the right (+x) and below (+y); y points down as in images."""
    dynamics = torch.eye(2)
    rest = torch.zeros(1, 1, 2)
    belief = Belief(rest, rest, rest - 2, rest - 2)
    goal = Preference.diagonal(torch.tensor([[[10.0, 5.0]]]), torch.ones(1, 1, 2))

    def value(x, y):
        return feef(forecast(belief, dynamics, torch.tensor([[[[x, y]]]]), 0.1), goal).item()

    assert value(1.0, 0.0) < value(0.0, 0.0) < value(-1.0, 0.0)
    assert value(0.0, 1.0) < value(0.0, 0.0) < value(0.0, -1.0)
    assert eq14(belief.mean, goal, dynamics)[0, 0].tolist() == pytest.approx([10.0, 5.0])


def test_variance_raises_feef_but_does_not_move_its_minimum(generator, dynamics, make_belief,
                                                            make_preference):
    """Certainty equivalence: the gradient in the actions is the same for any variance."""
    sure, goal = make_belief(), make_preference()
    unsure = Belief(sure.mean, sure.velocity, sure.log_sd + 1, sure.velocity_log_sd + 1)
    plan = torch.randn(2, 3, 5, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    values = [feef(forecast(b, dynamics, plan, 0.1), goal, goal.at_rest(1.0))
              for b in (sure, unsure)]
    gradients = [torch.autograd.grad(value.sum(), plan)[0] for value in values]
    torch.testing.assert_close(*gradients)
    assert (values[0] != values[1]).all()
