# SPDX-License-Identifier: Apache-2.0
"""The laws in a loop with a point mass that obeys the dynamics exactly, in px."""
import pytest
import torch

from obai_ros.model.belief import ActionBelief, Belief
from obai_ros.model.dynamics import moved_on
from obai_ros.planning.planner import Planner, PlannerConfig
from obai_ros.planning.preference import Preference

SURE = torch.full((1, 1, 2), -5.0)
GOAL = Preference.diagonal(torch.tensor([[[40.0, 20.0]]]), torch.ones(1, 1, 2))
ACTIVE = torch.ones(1, 1, dtype=torch.bool)


def run(config, frames, start=(10.0, 30.0), velocity=(0.0, 0.0), delay=0, aware=True, gain=1.0):
    """Return errors [frames, 2] px and velocities of an object pushed toward GOAL."""
    planner = Planner(torch.eye(2), config)
    goal = planner.terms(GOAL)
    state, speed = torch.tensor([[start]]), torch.tensor([[velocity]])
    pending = [torch.zeros(1, 1, 2)] * delay
    errors, speeds = [], []
    for _ in range(frames):
        errors.append((state - GOAL.mean).flatten())
        speeds.append(speed.flatten())
        belief = Belief(state, speed, SURE, SURE)
        for push in pending if aware else ():
            certain = ActionBelief(push, torch.full_like(push, -torch.inf))
            belief = moved_on(belief, certain, torch.eye(2), 0.1)
        plan = planner.plan(belief, goal, ACTIVE)
        pending = [*pending, plan.acceleration]
        speed = speed + gain * pending.pop(0)
        state = state + speed
    return torch.stack(errors), torch.stack(speeds)


def test_eq14_oscillates_with_a_period_of_six_frames():
    """Poles exp(+-i pi / 3): e, e0, 0, -e0, -e0, 0, e0 ... and never any smaller."""
    errors, _ = run(PlannerConfig(law='eq14', max_acceleration=1e3), 30)
    start = errors[0]
    for frame, factor in enumerate([1, 0, -1, -1, 0, 1] * 5):
        torch.testing.assert_close(errors[frame], factor * start, rtol=0, atol=1e-3)


def test_velocity_in_the_residual_makes_it_dead_beat():
    """One frame, no wish to be at rest, no cost: at the goal in 1 step and stopped in 2."""
    config = PlannerConfig(horizon=1, velocity_weight=0.0, action_cost=0.0, stop_ratio=0.0,
                           max_acceleration=1e3)
    errors, speeds = run(config, 6, velocity=(3.0, -2.0))
    assert errors[1:].abs().max() < 1e-3
    assert speeds[2:].abs().max() < 1e-3


def test_default_settles_without_overshoot():
    errors, speeds = run(PlannerConfig(max_acceleration=1e3), 12)
    assert (errors[4:].abs() < 0.05 * errors[0].abs()).all()
    assert (errors * errors[0].sign()).min() > -0.01 * errors[0].abs().max()
    assert errors[-1].abs().max() < 0.1 and speeds[-1].abs().max() < 0.1


def test_a_moving_object_is_caught():
    errors, speeds = run(PlannerConfig(), 16, velocity=(-6.0, 5.0))
    assert errors[-1].abs().max() < 0.2 and speeds[-1].abs().max() < 0.2


@pytest.mark.parametrize('gain', [0.7, 1.3])
def test_pushes_of_another_strength_do_no_harm(gain):
    errors, _ = run(PlannerConfig(max_acceleration=1e3), 16, gain=gain)
    assert errors[-1].abs().max() < 0.2
    assert (errors * errors[0].sign()).min() > -0.1 * errors[0].abs().max()


def test_box_does_not_overshoot_where_clipping_does():
    """The way is 20 times the largest acceleration."""
    far = {'start': (10.0, 20.0)}
    overshoot = {}
    for limit in ('clip', 'box', 'auto'):
        errors, _ = run(PlannerConfig(max_acceleration=1.5, limit=limit), 30, **far)
        overshoot[limit] = errors[:, 0].max().item() / 30
        assert errors[-1].abs().max() < 0.2
    assert overshoot['clip'] > 0.1
    assert overshoot['box'] < 0.05 and overshoot['auto'] < 0.05


@pytest.mark.parametrize('delay', [1, 2])
def test_delay_diverges_unless_the_actions_under_way_are_reckoned_with(delay):
    config = PlannerConfig(max_acceleration=1e3, stop_ratio=0.0)
    blind, _ = run(config, 40, delay=delay, aware=False)
    aware, _ = run(config, 40, delay=delay)
    prompt, _ = run(config, 40)
    assert blind[-6:].abs().max() > 10 * blind[0].abs().max()
    torch.testing.assert_close(aware[delay:], prompt[:-delay], rtol=0, atol=0.05)
