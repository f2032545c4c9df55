# SPDX-License-Identifier: Apache-2.0
"""Goals: which slots they are about, and which are refused in words."""
from types import SimpleNamespace

import numpy as np
from obai_ros.nodes.pursuit import ALL, NONE, OBJECT, Pursuit, Target
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.preference import GoalError
import pytest
import torch

SIDE = 32


@pytest.fixture(scope='module')
def bank():
    """Return a bank whose first two latents are the position, in px / 10."""
    generator = torch.Generator().manual_seed(0)
    position = SIDE * torch.rand(4000, 2, generator=generator)
    noise = torch.randn(4000, 8, generator=generator)
    mean = torch.cat([position / 10, torch.zeros(4000, 6)], 1) + .01 * noise
    return GoalBank(
        position=position, shape=torch.zeros(4000, dtype=torch.int64),
        colour=torch.rand(4000, 3, generator=generator), size=torch.full((4000,), 8.),
        orientation=torch.zeros(4000), mean=mean, sd=torch.full((4000, 8), .1), model_id='m',
        image_size=(SIDE, SIDE), shapes=('square',))


@pytest.fixture
def pursuit(bank):
    return Pursuit(bank, '', 2.0, SIDE, SIDE)


def beliefs(empty=(False, False, False, True)):
    """Return four slots at (5, 5), (20, 8), (16, 16: the background), (9, 9)."""
    return SimpleNamespace(centroid=np.array([(5., 5.), (20., 8.), (16., 16.), (9., 9.)]),
                           empty=np.array(empty), background=2)


def test_nothing_is_pursued_at_first(pursuit):
    assert pursuit.target.kind == NONE
    assert not pursuit.slots(2, [False] * 4).any()


def test_all_leaves_background_and_empty_slots_alone(pursuit):
    pursuit.choose(Target(ALL, 10., 12.), None)
    assert pursuit.slots(2, [False, False, False, True]).tolist() == [True, True, False, False]
    assert pursuit.preference.mean[:2].tolist() == pytest.approx([1.0, 1.2], abs=.05)


def test_object_is_the_nearest_slot_and_stays_that_slot(pursuit):
    pursuit.choose(Target(OBJECT, 10., 10., u=15., v=10.), beliefs())
    assert pursuit.slot == 1
    assert pursuit.slots(2, [False] * 4).tolist() == [False, True, False, False]
    assert not pursuit.slots(2, [False, True, False, False]).any()  # hidden: wait


@pytest.mark.parametrize('target, given, words', [
    (Target(ALL, -1., 5.), beliefs(), r'the goal is \(-1, 5\), outside the image, which is 32 px'),
    (Target(ALL, float('nan'), 5.), beliefs(), 'outside the image'),
    (Target(OBJECT, 5., 5., u=40., v=5.), beliefs(), r'\(u, v\) is \(40, 5\), outside the image'),
    (Target(OBJECT, 5., 5., u=4., v=5.), None, 'no beliefs have arrived yet'),
    (Target(OBJECT, 5., 5., u=4., v=5.), beliefs([True] * 4), 'no slot holds an object'),
    (Target(7, 5., 5.), beliefs(), 'kind is 7, expected 0'),
    (Target(ALL, 5., 5., spread=-1.), beliefs(), 'spread is -1, expected'),
])
def test_impossible_goals_are_refused_and_the_one_before_stays(pursuit, target, given, words):
    before = Target(ALL, 10., 10.)
    pursuit.choose(before, None)
    with pytest.raises(GoalError, match=words):
        pursuit.choose(target, given)
    assert pursuit.target == before


def test_without_a_bank_there_is_a_reason():
    pursuit = Pursuit(None, 'there is no goal bank', 2.0, SIDE, SIDE)
    with pytest.raises(GoalError, match='there is no goal bank'):
        pursuit.choose(Target(ALL, 5., 5.), None)
    pursuit.choose(Target(NONE), None)


def test_the_default_spread_can_change(pursuit):
    pursuit.choose(Target(ALL, 16., 16.), None)
    narrow = pursuit.preference.precision[0, 0]
    pursuit.set_spread(6.0)
    assert pursuit.preference.precision[0, 0] < narrow / 4
