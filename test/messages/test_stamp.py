# SPDX-License-Identifier: Apache-2.0
"""Stamps as numbers."""

from types import SimpleNamespace

from obai_ros.messages.stamp import nanoseconds, StampError
import pytest


def message(sec, nanosec):
    return SimpleNamespace(header=SimpleNamespace(
        stamp=SimpleNamespace(sec=sec, nanosec=nanosec)))


def test_a_stamp_is_one_number():
    assert nanoseconds(message(0, 0)) == 0
    assert nanoseconds(message(2**31 - 1, 999_999_999)) == 2_147_483_647_999_999_999


def test_what_is_before_all_time_is_refused_in_a_sentence():
    with pytest.raises(StampError, match='its stamp has sec -1, expected 0 or more.*the clock'):
        nanoseconds(message(-1, 500))
