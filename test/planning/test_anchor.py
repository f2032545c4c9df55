# SPDX-License-Identifier: Apache-2.0
"""Latents that wander while the masks stay: the way to the goal is that from the object."""
import pytest
import torch

from obai_ros.model.belief import Belief
from obai_ros.planning.anchor import Anchor
from obai_ros.planning.objects import Objects
from obai_ros.planning.preference import Preference

DYNAMICS = torch.tensor([[0.1, 0.0], [0.0, 0.1], [0.02, 0.0]])
GOAL = torch.tensor([[30.0, 30.0], [10.0, 10.0]])
PLACE = torch.tensor([[20.0, 40.0], [40.0, 15.0]])
VELOCITY = torch.tensor([[0.5, 0.2], [-0.3, 0.1]])


def objects():
    yes = torch.ones(2, dtype=torch.bool)
    return Objects(torch.tensor([1, 2]), yes, torch.zeros(2), yes, torch.zeros(2),
                   torch.zeros(2, 2, 11), torch.arange(2), PLACE, VELOCITY)


def way(belief, preference):
    """Return what a planner takes for the way to the goal, and the velocity, in px."""
    rows = DYNAMICS.mT @ preference.precision
    gram = rows @ DYNAMICS
    latents = torch.stack([preference.mean - belief.mean, belief.velocity], -1)
    return torch.linalg.solve(gram, rows @ latents).unbind(-1)


@pytest.fixture
def preference():
    root = torch.tensor([[3.0, 0.0, 0.0], [0.5, 3.0, 0.0], [1.0, 0.2, 2.0]])
    return Preference((GOAL @ DYNAMICS.mT), (root @ root.mT).expand(2, 3, 3))


@pytest.fixture
def wandered():
    """Beliefs whose latents have moved where no acceleration can move them, and elsewhere."""
    mean = PLACE @ DYNAMICS.mT + torch.tensor([0.5, -0.2, 3.0])
    velocity = VELOCITY @ DYNAMICS.mT + torch.tensor([0.1, 0.1, -0.3])
    return Belief(mean, velocity, torch.zeros(2, 3), torch.zeros(2, 3))


def test_place_and_velocity_are_those_of_the_object(preference, wandered):
    wrong, fast = way(wandered, preference)
    assert (wrong - (GOAL - PLACE)).norm(dim=-1).min() > 5
    assert (fast - VELOCITY).norm(dim=-1).min() > 0.5
    anchor = Anchor(preference, GOAL, DYNAMICS)
    belief = anchor.hold(wandered, objects(), torch.ones(2, dtype=torch.bool))
    distance, speed = way(belief, preference)
    torch.testing.assert_close(distance, GOAL - PLACE, atol=1e-3, rtol=0)
    torch.testing.assert_close(speed, VELOCITY, atol=1e-4, rtol=0)


def test_only_beliefs_that_are_planned_with_are_changed_and_only_along_d(preference, wandered):
    anchor = Anchor(preference, GOAL, DYNAMICS)
    belief = anchor.hold(wandered, objects(), torch.tensor([True, False]))
    torch.testing.assert_close(belief.mean[1], wandered.mean[1])
    torch.testing.assert_close(belief.velocity[1], wandered.velocity[1])
    across = torch.tensor([0.02, 0.0, -0.1])  # at right angles to both columns of D
    torch.testing.assert_close(belief.mean[0] @ across, wandered.mean[0] @ across)
    assert not torch.allclose(belief.mean[0], wandered.mean[0])
