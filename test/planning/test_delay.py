# SPDX-License-Identifier: Apache-2.0
import torch

from obai_ros.model.belief import Belief
from obai_ros.model.contact import Contacts
from obai_ros.planning.delay import carried, rolled, Underway

DYNAMICS = 0.1 * torch.tensor([[1.0, 0.5], [0.0, 1.0], [0.3, 0.0]])
PENDING = [torch.tensor([[[2.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])]


def moving(position, velocity):
    """Return a belief about an object at a place that moves, px and px/frame."""
    mean, speed = (torch.tensor([[value]]) @ DYNAMICS.mT for value in (position, velocity))
    return Belief(mean, speed, torch.full_like(mean, -3.0), torch.full_like(mean, -3.0))


def test_beliefs_are_rolled_forward_by_what_is_under_way():
    later = rolled(moving((20.0, 20.0), (1.0, -1.0)), PENDING, DYNAMICS, 0.1)
    expected = moving((26.0, 19.0), (3.0, 0.0))        # 20 + 3 + 3, 20 - 1 + 0
    torch.testing.assert_close(later.mean, expected.mean)
    torch.testing.assert_close(later.velocity, expected.velocity)
    assert (later.log_sd > expected.log_sd).all()


def test_pixels_go_where_their_objects_will_be_and_stay_in_the_image():
    now = moving((20.0, 20.0), (1.0, -1.0))
    later = rolled(now, PENDING, DYNAMICS, 0.1)
    contacts = Contacts(torch.tensor([[30]]), torch.tensor([[60]]), torch.ones(1, 1, 1),
                        torch.ones(1, 1, dtype=torch.bool))
    found = carried(contacts, now, later, DYNAMICS, 64, 64)
    assert (found.row.item(), found.col.item()) == (29, 63)
    assert carried(contacts, now, now, DYNAMICS, 64, 64).col.item() == 60


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


def test_frames_that_nobody_answered_were_answered_with_nothing():
    acts, left = Underway(('early', 'late')).passed(3, 1, 'nothing')
    assert acts == ('early', 'late', 'nothing') and left == Underway(('nothing',))


def test_another_delay_takes_effect_at_once():
    underway = Underway(('early', 'late', 'newest'))
    assert underway.passed(1, 0, '-') == (('early', 'late', 'newest'), Underway())
    assert underway.passed(1, 4, '-') == ((), Underway(('-', 'early', 'late', 'newest')))
