# SPDX-License-Identifier: Apache-2.0
"""Latents that wander while the masks stay: the way to the goal is that of the masks."""
import pytest
import torch

from obai_ros.model.belief import Belief
from obai_ros.planning.anchor import Anchor
from obai_ros.planning.goal import Sight
from obai_ros.planning.occlusion import free_to_see
from obai_ros.planning.preference import Preference

SIZE = 64
DYNAMICS = torch.tensor([[0.1, 0.0], [0.0, 0.1], [0.02, 0.0]])
PLACE = torch.tensor([[30.0, 30.0], [10.0, 10.0]])
DRIFT = torch.tensor([0.05, -0.02, 0.3])
"""Latent units per frame; in px along D about half a pixel, and much across it."""


def seen(position, velocity, frame, centre=None):
    """Return a sight of two objects whose latents are 0.1 times the position, and drift."""
    encode = DYNAMICS.mT
    mean = position @ encode + frame * DRIFT
    sure = torch.full_like(mean, -4.0)
    return Sight(Belief(mean, velocity @ encode + DRIFT, sure, sure),
                 position if centre is None else centre, torch.full((2,), 80.0),
                 torch.ones(2, dtype=torch.bool))


def way(belief, preference):
    """Return what a planner takes for the way to the goal, and the velocity, in px."""
    rows = DYNAMICS.mT @ preference.precision
    gram = rows @ DYNAMICS
    latents = torch.stack([preference.mean - belief.mean, belief.velocity], -1)
    return torch.linalg.solve(gram, rows @ latents).unbind(-1)


@pytest.fixture
def preference():
    root = torch.tensor([[3.0, 0.0, 0.0], [0.5, 3.0, 0.0], [1.0, 0.2, 2.0]])
    return Preference((PLACE @ DYNAMICS.mT), (root @ root.mT).expand(2, 3, 3))


def follow(preference, frames, hidden=()):
    anchor, velocity = Anchor(), torch.tensor([[0.5, 0.2], [-0.3, 0.1]])
    active = torch.ones(2, dtype=torch.bool)
    for frame in range(frames):
        position = torch.tensor([[20.0, 40.0], [40.0, 15.0]]) + frame * velocity
        centre = position.clone()
        if frame in hidden:  # the second shows behind the first, and not where its middle is
            centre[1] = centre[0] + torch.tensor([4.0, 0.0])
        sight = seen(position, velocity, frame, centre)
        belief = anchor.hold(sight, preference, PLACE, active, DYNAMICS, SIZE, SIZE)
    return position, velocity, belief, sight


def test_place_and_velocity_are_those_of_the_mask(preference):
    position, velocity, belief, sight = follow(preference, 12)
    distance, speed = way(belief, preference)
    torch.testing.assert_close(distance, PLACE - position, atol=1e-3, rtol=0)
    torch.testing.assert_close(speed, velocity, atol=0.05, rtol=0)
    wrong, _ = way(sight.belief, preference)
    assert (wrong - (PLACE - position)).norm(dim=-1).min() > 5


def test_hidden_objects_keep_the_error_that_they_had_and_its_growth(preference):
    position, _, belief, _ = follow(preference, 14, hidden=(11, 12, 13))
    distance, _ = way(belief, preference)
    torch.testing.assert_close(distance[1], (PLACE - position)[1], atol=0.2, rtol=0)


def test_what_was_never_seen_whole_keeps_its_belief(preference):
    _, _, belief, sight = follow(preference, 3, hidden=(0, 1, 2))
    torch.testing.assert_close(belief.mean[1], sight.belief.mean[1])
    torch.testing.assert_close(belief.velocity[1], sight.belief.velocity[1])


def test_whole_are_those_that_touch_neither_border_nor_each_other():
    centre = torch.tensor([[32.0, 32.0], [34.0, 32.0], [3.0, 30.0], [50.0, 50.0], [50.0, 51.0]])
    objects = torch.tensor([True, True, True, True, False])
    whole = free_to_see(centre, torch.full((5,), 80.0), objects, SIZE, SIZE)
    assert whole.tolist() == [False, False, False, True, False]
