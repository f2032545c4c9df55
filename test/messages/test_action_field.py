# SPDX-License-Identifier: Apache-2.0
"""Action fields to messages and back, and what is refused."""

import array
from types import SimpleNamespace

from hypothesis import given, settings, strategies as st
import numpy as np
from obai_ros.messages import action_field
import pytest

FINITE = st.floats(-1e6, 1e6, width=32)


@st.composite
def fields(draw):
    height, width = draw(st.integers(1, 500)), draw(st.integers(1, 500))
    points = draw(st.lists(st.tuples(
        st.integers(0, height - 1), st.integers(0, width - 1), FINITE, FINITE), max_size=20))
    row, col = np.array([p[:2] for p in points], np.int64).reshape(-1, 2).T
    acceleration = np.array([p[2:] for p in points], np.float32).reshape(-1, 2)
    return row, col, acceleration, height, width


@settings(deadline=None)
@given(fields())
def test_what_is_written_is_read(field):
    *points, height, width = field
    message = action_field.write(*field, SimpleNamespace())
    assert [getattr(message, name).typecode for name in ('row', 'col', 'ax', 'ay')] == list('IIff')
    read = action_field.read(message, height, width)
    assert [values.dtype for values in read] == [np.int64, np.int64, np.float32]
    for values, meant in zip(read, points):
        np.testing.assert_array_equal(values, meant)


def spoiled(**changes):
    message = SimpleNamespace(
        height=8, width=9, row=array.array('I', [1, 7]), col=array.array('I', [2, 8]),
        ax=array.array('f', [.5, 1]), ay=array.array('f', [0, -1]))
    vars(message).update(changes)
    return message


@pytest.mark.parametrize('changes, kind, words', [
    ({'height': 9}, action_field.WrongGrid, '9x9 px, expected 8x9'),
    ({'width': 64}, action_field.WrongGrid, '8x64 px, expected 8x9'),
    ({'ay': array.array('f')}, action_field.WrongLengths, '2, 2, 2, 0, expected four of the same'),
    ({'row': array.array('I', [1])}, action_field.WrongLengths, '1, 2, 2, 2, expected'),
    ({'row': array.array('I', [1, 8])}, action_field.PointOutside, 'row 8, col 8, expected 0'),
    ({'col': array.array('I', [9, 0])}, action_field.PointOutside, 'point 0 .* and 0 .. 8'),
    ({'ax': [1., float('nan')]}, action_field.NotFinite, r'point 1 .*\(nan, -1.0\)'),
    ({'ay': [float('-inf'), 1.]}, action_field.NotFinite, r'point 0 .*\(0.5, -inf\)'),
])
def test_a_field_that_is_not_right_is_refused_in_words(changes, kind, words):
    with pytest.raises(kind, match=words):
        action_field.read(spoiled(**changes), 8, 9)


@pytest.mark.parametrize('row, col, acceleration', [
    ([8], [0], [[0., 0.]]), ([-1], [0], [[0., 0.]]), ([0], [0], [[np.inf, 0.]]),
    ([0, 1], [0], [[0., 0.]]), ([0], [0], [0., 0.])])
def test_nothing_is_written_that_would_be_refused(row, col, acceleration):
    message = SimpleNamespace()
    with pytest.raises(action_field.ActionFieldError):
        action_field.write(row, col, acceleration, 8, 9, message)
    assert vars(message) == {}


def test_the_real_message_takes_all_fields():
    ActionField = pytest.importorskip('obai_ros.msg').ActionField
    message = action_field.write([3, 1], [2, 8], [[1., 2.], [3., 4.]], 8, 9, ActionField())
    row, col, acceleration = action_field.read(message, 8, 9)
    assert row.tolist() == [3, 1] and col.tolist() == [2, 8]
    assert acceleration.tolist() == [[1., 2.], [3., 4.]]
    empty = action_field.write([], [], np.zeros((0, 2)), 8, 9, ActionField())
    assert [len(values) for values in action_field.read(empty, 8, 9)] == [0, 0, 0]
