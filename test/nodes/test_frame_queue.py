# SPDX-License-Identifier: Apache-2.0
"""The newest frame wins, and actions are found by stamp."""
import threading

from obai_ros.nodes.frame_queue import AppliedActions, LatestFrame


def test_newest_frame_replaces_the_one_that_waits():
    queue = LatestFrame()
    for stamp in (1, 2, 3):
        queue.put(stamp, f'frame {stamp}')
    assert queue.take() == (3, 'frame 3', [1, 2])
    assert queue.dropped == 2
    queue.put(4, 'frame 4')
    assert queue.take() == (4, 'frame 4', [])


def test_the_same_frame_again_is_not_a_dropped_one():
    queue = LatestFrame()
    queue.put(1, 'first')
    queue.put(1, 'again')
    assert queue.take() == (1, 'again', [])
    assert queue.dropped == 0


def test_clear_forgets():
    queue = LatestFrame()
    queue.put(1, 'frame')
    queue.put(2, 'frame')
    queue.clear()
    assert queue.take() is None
    queue.put(3, 'frame')
    assert queue.take() == (3, 'frame', [])


def test_actions_between_two_stamps_are_in_order():
    actions = AppliedActions()
    for stamp in (30, 10, 20, 40):
        actions.add(stamp, f'action {stamp}')
    assert actions.between(10, 40) == [(10, 'action 10'), (20, 'action 20'), (30, 'action 30')]
    actions.forget(before=20)
    assert [stamp for stamp, _ in actions.between(0, 100)] == [20, 30, 40]


def test_only_the_newest_actions_are_kept():
    actions = AppliedActions(keep=2)
    for stamp in (1, 2, 3):
        actions.add(stamp, stamp)
    assert [stamp for stamp, _ in actions.between(0, 10)] == [2, 3]
    actions.add(2, 'again')
    actions.add(4, 4)
    assert actions.between(0, 10) == [(2, 'again'), (4, 4)]


def test_actions_of_before_the_clock_was_set_back_make_room():
    actions = AppliedActions(keep=3)
    for stamp in (100, 101, 102, 103):
        actions.add(stamp, 'old')
    for stamp in (1, 2, 3, 4):
        actions.add(stamp, 'new')
        assert actions.wait([stamp], 0.0, actions.interruptions)
        actions.forget(before=stamp)


def test_what_is_known_to_be_of_before_is_dropped():
    actions = AppliedActions()
    for stamp in (100, 101, 1):
        actions.add(stamp, stamp)
    actions.forget_since(100)
    assert actions.between(0, 200) == [(1, 1)]
    actions.clear()
    assert not actions.between(0, 200)


def test_waiting_ends_when_the_action_arrives_and_not_before():
    actions = AppliedActions()
    assert not actions.wait([5], .01, actions.interruptions)
    answers = []
    worker = threading.Thread(target=lambda: answers.append(actions.wait([5, 6], 30, 0)))
    worker.start()
    actions.add(5, 'a')
    assert not answers
    actions.add(6, 'b')
    worker.join(timeout=5)
    assert answers == [True]


def test_interrupt_ends_waiting():
    actions = AppliedActions()
    answers = []
    worker = threading.Thread(target=lambda: answers.append(actions.wait([5], 600, 0)))
    worker.start()
    actions.interrupt()  # whether it waits already or not
    worker.join(timeout=60)
    assert answers == [False]
    # What became worth waiting for since is waited for.
    actions.add(5, 'a')
    assert actions.wait([5], 600, actions.interruptions)
