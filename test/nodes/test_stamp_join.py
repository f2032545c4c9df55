# SPDX-License-Identifier: Apache-2.0
"""Frames are complete once, by stamp."""
from obai_ros.nodes.stamp_join import PATIENCE, StampJoin

BOTH = {'image', 'labels'}


def test_complete_frames_come_out_once():
    join = StampJoin(keep=5)
    assert join.add(1, 'image', 'i1', BOTH) is None
    assert join.add(1, 'labels', 'l1', BOTH) == {'image': 'i1', 'labels': 'l1'}
    assert join.add(1, 'image', 'again', BOTH) is None
    assert join.add(1, 'labels', 'again', BOTH) is None


def test_parts_of_different_frames_are_not_mixed():
    join = StampJoin(keep=5)
    join.add(1, 'image', 'i1', BOTH)
    assert join.add(2, 'labels', 'l2', BOTH) is None
    assert join.add(2, 'image', 'i2', BOTH) == {'image': 'i2', 'labels': 'l2'}
    assert join.add(1, 'labels', 'late', BOTH) is None


def test_frames_that_stay_incomplete_are_forgotten():
    join = StampJoin(keep=2)
    for stamp in (1, 2, 3):
        join.add(stamp, 'image', f'i{stamp}', BOTH)
    assert join.add(1, 'labels', 'l1', BOTH) is None
    assert join.add(3, 'labels', 'l3', BOTH) == {'image': 'i3', 'labels': 'l3'}


def test_stamps_may_go_back():
    join = StampJoin(keep=2)
    join.add(9, 'image', 'i9', BOTH)
    join.add(9, 'labels', 'l9', BOTH)
    join.add(1, 'image', 'i1', BOTH)
    assert join.add(1, 'labels', 'l1', BOTH) == {'image': 'i1', 'labels': 'l1'}


def test_what_does_not_come_holds_nothing_up_for_long():
    now = [0.]
    join = StampJoin(keep=2, spare={'actions'}, clock=lambda: now[0])
    every = BOTH | {'actions'}

    def show(stamp):
        join.add(stamp, 'image', 'i', every)
        return join.add(stamp, 'labels', 'l', every)

    assert show(0) is None
    assert join.add(0, 'actions', 'a', every) == {'image': 'i', 'labels': 'l', 'actions': 'a'}
    now[0] = 9.  # nothing was shown that it could have been about
    for stamp in range(1, 11):
        assert show(stamp) is None
        now[0] += PATIENCE / 10
    now[0] += .01
    without = {'image': 'i', 'labels': 'l'}
    assert show(11) == show(12) == without
    assert join.add(12, 'actions', 'late', every) is None
    assert show(13) is None
    assert join.add(13, 'actions', 'a', every) == without | {'actions': 'a'}
