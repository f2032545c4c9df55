# SPDX-License-Identifier: Apache-2.0
"""How beliefs follow from those that were answered last."""

from types import SimpleNamespace

from obai_ros.nodes.succession import Succession, succession
import pytest

NEXT, AGAIN, PAST, ANEW = (
    Succession.NEXT, Succession.AGAIN, Succession.PAST, Succession.ANEW)


def of(frame, second):
    return SimpleNamespace(frame=frame, header=SimpleNamespace(
        stamp=SimpleNamespace(sec=second, nanosec=0)))


@pytest.mark.parametrize('frame, second, missed, expected', [
    (8, 21, False, NEXT),
    (12, 25, False, NEXT),   # frames that were lost, or that the filter stepped over
    (5, 18, False, PAST),
    (7, 19, False, PAST),
    (0, 21, False, ANEW),
    (0, 20, False, ANEW),    # begun anew with the same image
    (0, 5, False, ANEW),     # clocks may be set back
    (3, 21, False, ANEW),    # frame 0 was lost
    (7, 21, False, ANEW),
    (8, 20, False, ANEW),
    (9, 5, False, ANEW),     # the clock was set back, and frames 0 to 8 were lost
    (8, 21, True, NEXT),
    (9, 22, True, ANEW),
    (8, 5, True, ANEW),
    (5, 18, True, ANEW),
])
def test_frames_and_stamps_tell(frame, second, missed, expected):
    assert succession(of(frame, second), of(7, 20), missed) == expected


@pytest.mark.parametrize('missed', [False, True])
def test_the_same_ones_again_are_known_again_and_the_first_follow(missed):
    assert succession(of(7, 20), of(7, 20), missed) == AGAIN
    assert succession(of(7, 20), None, missed) == NEXT
