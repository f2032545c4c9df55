# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from obai_ros.model.belief import Belief
from obai_ros.planning.feef import eq14, feef, forecast
from obai_ros.planning.horizon import Horizon, Projection

CASES = [(1, 0.0, 0.0), (1, 1.0, 0.3), (3, 0.0, 0.1), (5, 1.0, 0.3), (8, 2.5, 10.0)]


def solved(belief, goal, dynamics, steps, velocity_weight, relative_cost):
    horizon = Horizon(steps, velocity_weight, torch.float64)
    projection = Projection.of(belief, goal, *goal.through(dynamics))
    cost = relative_cost * projection.gram.diagonal(dim1=-2, dim2=-1).sum(-1) / 2
    inverse = horizon.mode_inverses(projection.gram, cost)
    return horizon, projection, cost, *horizon.solve(projection, inverse)


def assert_minimises(plan, fall, objective):
    """Newton, by autograd, on the objective of a flattened plan; one step, as it is quadratic."""
    zero = torch.zeros(plan.numel(), dtype=torch.float64)
    gradient = torch.autograd.functional.jacobian(objective, zero)
    curvature = torch.autograd.functional.hessian(objective, zero)
    minimum = -torch.linalg.solve(curvature, gradient)
    torch.testing.assert_close(plan.flatten(), minimum)
    torch.testing.assert_close(fall.squeeze(), objective(zero) - objective(minimum))


@pytest.mark.parametrize('steps, velocity_weight, relative_cost', CASES)
def test_is_the_solution_of_the_dense_system(dynamics, steps, velocity_weight, relative_cost,
                                             make_belief, make_preference):
    """Written out for one slot with the matrices Omega and Kronecker products of numpy's kind."""
    belief, goal = make_belief(), make_preference()
    _, _, cost, plan, _, _ = solved(belief, goal, dynamics, steps, velocity_weight,
                                    relative_cost)
    tau = torch.arange(1, steps + 1, dtype=torch.float64)
    omega_s = torch.tensor([[max(0.0, t - j) for j in range(steps)] for t in range(1, steps + 1)],
                           dtype=torch.float64)
    omega_v = torch.tensor([[float(j < t) for j in range(steps)] for t in range(1, steps + 1)],
                           dtype=torch.float64)
    for b in range(2):
        for k in range(3):
            weighted = dynamics.mT @ goal.precision[b, k]
            start = (torch.kron(torch.ones(steps, 1), (goal.mean - belief.mean)[b, k, :, None])
                     - torch.kron(tau[:, None], belief.velocity[b, k, :, None]))
            moving = torch.kron(torch.ones(steps, 1), belief.velocity[b, k, :, None])
            hessian = (torch.kron(omega_s.mT @ omega_s + velocity_weight * omega_v.mT @ omega_v,
                                  weighted @ dynamics)
                       + cost[b, k] * torch.eye(2 * steps))
            target = (torch.kron(omega_s.mT.contiguous(), weighted) @ start
                      - velocity_weight * torch.kron(omega_v.mT.contiguous(), weighted) @ moving)
            expected = torch.linalg.solve(hessian, target).reshape(steps, 2)
            torch.testing.assert_close(plan[b, k], expected)


@pytest.mark.parametrize('steps, velocity_weight, relative_cost', CASES)
def test_is_the_numerical_minimum_of_eq13(dynamics, steps, velocity_weight, relative_cost,
                                          make_belief, make_preference):
    """Of eq. 13 as it is computed from forecasts and divergences."""
    belief, goal = make_belief(1, 1), make_preference(1, 1)
    _, _, cost, plan, fall, _ = solved(belief, goal, dynamics, steps, velocity_weight,
                                       relative_cost)

    def objective(flat):
        sequence = flat.reshape(1, 1, steps, 2)
        value = feef(forecast(belief, dynamics, sequence, 0.1), goal,
                     goal.at_rest(velocity_weight))
        return (value + cost * sequence.square().sum((-2, -1)) / 2).sum()

    assert_minimises(plan, fall, objective)


def test_eq14_is_the_special_case_of_one_frame_from_rest_at_no_cost(dynamics, make_belief,
                                                                    make_preference):
    belief, goal = make_belief(), make_preference()
    rest = Belief(belief.mean, torch.zeros_like(belief.mean), belief.log_sd, belief.log_sd)
    _, _, _, plan, _, _ = solved(rest, goal, dynamics, 1, 0.0, 0.0)
    torch.testing.assert_close(plan.squeeze(-2), eq14(rest.mean, goal, dynamics))


@pytest.mark.parametrize('steps, actions', [(1, 1), (16, 1), (6, 3)])
def test_frames_without_an_action_are_columns_left_out(dynamics, make_belief, make_preference,
                                                       steps, actions):
    """The minimum over the first actions, with nothing done in the frames after."""
    belief, goal = make_belief(1, 1), make_preference(1, 1)
    projection = Projection.of(belief, goal, *goal.through(dynamics))
    cost = 0.2 * projection.gram.diagonal(dim1=-2, dim2=-1).sum(-1)
    horizon = Horizon(steps, 1.0, torch.float64, actions=actions)
    plan, fall, _ = horizon.solve(projection, horizon.mode_inverses(projection.gram, cost))

    def objective(flat):
        rest = torch.zeros(1, 1, steps - actions, 2, dtype=torch.float64)
        sequence = torch.cat([flat.reshape(1, 1, actions, 2), rest], -2)
        value = feef(forecast(belief, dynamics, sequence, 0.1), goal, goal.at_rest(1.0))
        return (value + cost * sequence.square().sum((-2, -1)) / 2).sum()

    assert_minimises(plan, fall, objective)


def test_hessian_target_and_curvature_belong_together(dynamics, make_belief, make_preference):
    belief, goal = make_belief(), make_preference()
    horizon, projection, cost, plan, fall, _ = solved(belief, goal, dynamics, 5, 1.0, 0.3)
    hessian, target = horizon.hessian(projection, cost), horizon.target(projection).flatten(-2)
    torch.testing.assert_close((hessian @ plan.flatten(-2)[..., None]).squeeze(-1), target)
    # a' H a / 2 - b' a, the objective less its value without any action
    flat = plan.flatten(-2)
    quadratic = (flat[..., None, :] @ hessian @ flat[..., None]).squeeze((-2, -1))
    torch.testing.assert_close(quadratic / 2 - (target * flat).sum(-1), -fall)
    values = torch.linalg.eigvalsh(hessian)
    least, greatest = horizon.curvature(projection, cost)
    torch.testing.assert_close(values[..., 0], least)
    torch.testing.assert_close(values[..., -1], greatest)


def test_noise_is_the_average_fall_at_the_goal_by_errors_of_the_belief(generator, dynamics,
                                                                       make_preference):
    """200,000 beliefs about one object at its goal and at rest, wrong by their own variance."""
    goal = make_preference(1, 1)
    sd, count = 0.2, 200_000

    def error():
        return sd * torch.randn(count, 1, 6, generator=generator, dtype=torch.float64)

    log_sd = torch.full((count, 1, 6), sd, dtype=torch.float64).log()
    belief = Belief(goal.mean + error(), error(), log_sd, log_sd)
    _, _, _, _, fall, noise = solved(belief, goal.expand(count, 1), dynamics, 5, 1.0, 0.3)
    torch.testing.assert_close(fall.mean(), noise[0, 0], rtol=0.02, atol=0)
