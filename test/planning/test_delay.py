# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from obai_ros.action_field import ActionField
from obai_ros.model.belief import Belief
from obai_ros.planning.delay import Action, foresee, Underway

DYNAMICS = 0.1 * torch.tensor([[1.0, 0.5], [0.0, 1.0], [0.3, 0.0]])
BACKGROUND = torch.tensor([2])


def moving(*objects):
    """Return a belief about objects at places that move, ((x, y) px, (x, y) px/frame) each."""
    mean, speed = (torch.tensor([list(values)]) @ DYNAMICS.mT for values in zip(*objects))
    return Belief(mean, speed, torch.full_like(mean, -3.0), torch.full_like(mean, -3.0))


def squares(*places):
    """Return labels [1, 64, 64] of squares of 9 px, later ones in front."""
    labels = torch.zeros(1, 64, 64, dtype=torch.uint8)
    for number, (x, y) in enumerate(places, 1):
        labels[0, max(y - 4, 0):y + 5, max(x - 4, 0):x + 5] = number
    return labels


def pushes(*points):
    """Return an action of pushes: (x, y) px, (ax, ay) px/frame^2 each."""
    col, row = torch.tensor([[place for place, _ in points]]).unbind(-1)
    acceleration = torch.tensor([[push for _, push in points]])
    # What it was meant to do is of no account.
    return Action(ActionField(row, col, acceleration, 64, 64), torch.full((1, 3, 2), 9.0))


def future(labels, belief, *actions):
    return foresee(belief, labels, BACKGROUND, Underway(actions), DYNAMICS, 0.1)


BELIEF = moving(((20.0, 20.0), (1.0, -1.0)), ((40.0, 40.0), (-6.0, 0.0)), ((0.0, 0.0), (0.0, 0.0)))
LABELS = squares((20, 20), (40, 40))


def test_nothing_under_way_is_now():
    found = future(LABELS, BELIEF)
    torch.testing.assert_close(found.belief.mean, BELIEF.mean)
    assert not found.way.any() and found.underway == Underway()
    assert found.contacts.row.tolist()[0][:2] == [20, 40]
    assert found.contacts.reachable.tolist() == [[True, True, False]]


def test_beliefs_go_on_as_pushes_make_them():
    """Eq. 5-6: each frame the velocity changes first, then the place."""
    found = future(LABELS, BELIEF, pushes(((20, 20), (2.0, 0.0))), pushes(((23, 19), (0.0, 1.0))))
    expected = moving(((26.0, 19.0), (3.0, 0.0)),        # 20 + 3 + 3, 20 - 1 + 0
                      ((28.0, 40.0), (-6.0, 0.0)), ((0.0, 0.0), (0.0, 0.0)))
    torch.testing.assert_close(found.belief.mean, expected.mean)
    torch.testing.assert_close(found.belief.velocity, expected.velocity)
    assert (found.belief.log_sd > BELIEF.log_sd).all()
    torch.testing.assert_close(found.way[0, :2], torch.tensor([[6.0, -1.0], [-12.0, 0.0]]))
    received = [action.received[0].tolist() for action in found.underway.actions]
    assert received == [[[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]]


def test_a_push_that_comes_too_late_for_its_object_moves_nothing():
    found = future(LABELS, BELIEF, pushes(((14, 20), (2.0, 0.0))))
    torch.testing.assert_close(found.belief.velocity, BELIEF.velocity)
    assert not found.underway.actions[0].received.any()


def test_a_push_moves_whoever_is_there_when_it_acts():
    # After two frames the second is at 28: a push for the third frame at what was the first's.
    action = pushes(((25, 40), (0.0, 3.0)))
    now = future(LABELS, BELIEF, action)
    assert not now.underway.actions[0].received[0, 1].any()
    idle = Action.idle(1, 3, 64, 64)
    later = future(LABELS, BELIEF, idle, idle, action)
    assert later.underway.actions[2].received[0, 1].tolist() == [0.0, 3.0]


def test_where_two_will_meet_each_is_pushed_where_no_other_will_be():
    belief = moving(((20.0, 40.0), (4.0, 0.0)), ((36.0, 40.0), (-8.0, 0.0)),
                    ((0.0, 0.0), (0.0, 0.0)))
    # They will be at 24 and 28, with 20 to 23 and 29 to 32 to themselves.
    touch = future(squares((20, 40), (36, 40)), belief, Action.idle(1, 3, 64, 64)).contacts
    assert touch.col[0, 0] < 24 and touch.col[0, 1] > 28
    own = touch.probability[0].diagonal()[:2]
    assert own.tolist() == [1.0, 1.0] and touch.reachable[0, :2].all()


def test_who_may_be_hidden_altogether_cannot_be_pushed():
    belief = moving(((20.0, 40.0), (8.0, 0.0)), ((36.0, 40.0), (-8.0, 0.0)),
                    ((0.0, 0.0), (0.0, 0.0)))
    touch = future(squares((20, 40), (36, 40)), belief, Action.idle(1, 3, 64, 64)).contacts
    assert not touch.reachable.any()


@pytest.mark.parametrize('way', [(-30.0, 0.0), (60.0, 0.0), (0.0, -500.0), (0.0, 50.0)])
def test_who_leaves_the_image_cannot_be_pushed(way):
    belief = moving(((20.0, 20.0), way), ((40.0, 40.0), (0.0, 0.0)), ((0.0, 0.0), (0.0, 0.0)))
    touch = future(LABELS, belief, Action.idle(1, 3, 64, 64)).contacts
    assert touch.reachable.tolist() == [[False, True, False]]
    assert all(((index >= 0) & (index < 64)).all() for index in (touch.row, touch.col))


def test_actions_act_as_many_frames_later_as_they_are_delayed():
    underway, acted = Underway(), []
    for frame in range(5):
        acts, underway = underway.passed(1, 2, 'nothing')
        assert len(underway.actions) == 2
        acted += acts
        underway = underway.sent(frame)
    # While frames 1 to 4 are awaited: the answer to frame 0 acts on frame 2.
    assert acted == ['nothing', 'nothing', 0, 1]


def test_without_delay_an_action_acts_at_once():
    assert Underway().passed(1, 0, 'nothing') == ((), Underway())
    assert Underway(('push',)).passed(1, 0, 'nothing') == (('push',), Underway())


@pytest.mark.parametrize('frames', [2, 3, 2**32])
def test_frames_that_nobody_answered_were_answered_with_nothing(frames):
    acts, left = Underway(('early', 'late')).passed(frames, 1, 'nothing')
    assert acts == ('early', 'late') and left == Underway(('nothing',))
    acts, left = Underway(('early', 'late', 'newest')).passed(frames, 2, 'nothing')
    assert acts[:2] == ('early', 'late') and set(acts[2:]) <= {'newest'}
    assert left.actions == (('newest',) if frames == 2 else ('nothing',)) + ('nothing',)


def test_another_delay_takes_effect_at_once():
    underway = Underway(('early', 'late', 'newest'))
    assert underway.passed(1, 0, '-') == (('early', 'late', 'newest'), Underway())
    assert underway.passed(1, 4, '-') == ((), Underway(('-', 'early', 'late', 'newest')))
