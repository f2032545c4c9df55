# SPDX-License-Identifier: Apache-2.0
"""How an image follows from the one before."""
from types import SimpleNamespace

from obai_ros.nodes.continuity import follow

S = 10**9


def action(cut=False):
    return SimpleNamespace(cut=cut)


def test_first_image_starts_the_filter():
    assert follow(None, 5 * S, [], [], True, 2.0, 30).restart


def test_next_image_follows_with_the_action_on_the_last():
    push = action()
    step = follow(1 * S, 2 * S, [(1 * S, push)], [], True, 2.0, 30)
    assert (step.restart, step.actions, step.missing) == ('', (push,), False)


def test_known_action_bridges_any_gap():
    push = action()
    assert follow(1 * S, 100 * S, [(1 * S, push)], [], True, 2.0, 30).actions == (push,)


def test_gap_without_action_starts_anew():
    assert '3 s' in follow(1 * S, 4 * S, [], [], False, 2.0, 30).restart
    assert not follow(1 * S, 3 * S, [], [], False, 2.0, 30).restart


def test_gap_behind_a_skipped_frame_starts_anew():
    """A simulator that was ended and started again while perception was busy."""
    push = action()
    step = follow(1 * S, 9 * S, [(1 * S, push)], [2 * S], True, 2.0, 30)
    assert '7 s' in step.restart
    known = [(1 * S, push), (2 * S, push)]
    assert not follow(1 * S, 9 * S, known, [2 * S], True, 2.0, 30).restart
    # A camera that is faster than perception leaves no gap.
    assert not follow(1 * S, 9 * S, [], [n * S for n in range(2, 9)], False, 2.0, 30).restart


def test_stamps_going_back_start_anew():
    assert 'back by 1 s' in follow(2 * S, 1 * S, [], [], False, 2.0, 30).restart


def test_cut_starts_anew_wherever_it_is_in_the_gap():
    chain = [(1 * S, action()), (2 * S, action(cut=True))]
    assert 'reset' in follow(1 * S, 3 * S, chain, [2 * S], True, 2.0, 30).restart


def test_skipped_frames_are_stepped_over_with_their_actions():
    first, third = action(), action()
    step = follow(1, 5, [(1, first), (3, third)], [2, 3], True, 2.0, 30)
    assert step.actions == (first, None, third)
    assert not step.missing


def test_missing_action_is_zero_and_said():
    step = follow(1, 2, [], [], True, 2.0, 30)
    assert step.actions == (None,)
    assert step.missing


def test_camera_without_actions_takes_one_step_per_processed_image():
    step = follow(1, 5, [], [2, 3], False, 2.0, 30)
    assert (step.actions, step.missing) == ((None,), False)


def test_too_many_skipped_frames_start_anew():
    chain = [(stamp, action()) for stamp in range(1, 6)]
    assert len(follow(1, 6, chain, [], True, 2.0, 4).actions) == 5
    assert '4 images were skipped' in follow(1, 6, chain, [], True, 2.0, 3).restart
