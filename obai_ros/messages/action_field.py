# SPDX-License-Identifier: Apache-2.0
"""obai_ros/ActionField <-> numpy: the points of a sparse field of accelerations."""

import numpy as np

from obai_ros.messages.arrays import typed


class ActionFieldError(ValueError):
    """An action field contradicts itself or does not fit the grid that it is meant for."""


class WrongGrid(ActionFieldError):
    """The field is for another grid."""


class WrongLengths(ActionFieldError):
    """The arrays of the field do not belong together."""


class PointOutside(ActionFieldError):
    """A point lies outside the grid."""


class NotFinite(ActionFieldError):
    """An acceleration is infinite or not a number."""


def read(msg, height: int, width: int):
    """
    Return (row [P] int64, col [P] int64, acceleration [P, 2] float32 (ax, ay) px/frame^2).

    msg: has the fields of obai_ros/ActionField; height, width: the grid that it has to be for, px.
    Raises ActionFieldError, unless the field is for this grid, its points are inside, and its
    accelerations are finite.
    """
    if (msg.height, msg.width) != (height, width):
        raise WrongGrid(
            f'the action field is for a grid of {msg.height}x{msg.width} px, expected '
            f'{height}x{width}: a field belongs to one grid and is never resized')
    lengths = [len(field) for field in (msg.row, msg.col, msg.ax, msg.ay)]
    if len(set(lengths)) > 1:
        raise WrongLengths('the action field has row, col, ax, ay of lengths '
                           f'{", ".join(map(str, lengths))}, expected four of the same length')
    row, col = (np.asarray(field, np.int64) for field in (msg.row, msg.col))
    acceleration = np.stack([np.asarray(msg.ax, np.float32), np.asarray(msg.ay, np.float32)], -1)
    _check_points(row, col, acceleration, height, width)
    return row, col, acceleration


def write(row, col, acceleration, height: int, width: int, msg):
    """
    Fill height, width, row, col, ax, ay of `msg` and return it; the rest is the caller's.

    row, col: [P] integers; acceleration: [P, 2] (ax, ay), px/frame^2; height, width: the grid, px.
    Raises ActionFieldError as `read` does.
    """
    row, col = np.asarray(row, np.int64), np.asarray(col, np.int64)
    acceleration = np.asarray(acceleration, np.float32)
    if row.ndim != 1 or col.shape != row.shape or acceleration.shape != (len(row), 2):
        raise WrongLengths(
            f'the action field has row {list(row.shape)}, col {list(col.shape)}, acceleration '
            f'{list(acceleration.shape)}, expected [P], [P], [P, 2]')
    _check_points(row, col, acceleration, height, width)
    msg.height, msg.width = int(height), int(width)
    msg.row, msg.col = (typed('I', index) for index in (row, col))
    msg.ax, msg.ay = (typed('f', acceleration[:, axis]) for axis in (0, 1))
    return msg


def _check_points(row, col, acceleration, height, width):
    outside = (row < 0) | (row >= height) | (col < 0) | (col >= width)
    if outside.any():
        point = int(outside.argmax())
        raise PointOutside(
            f'point {point} of the action field is at row {row[point]}, col {col[point]}, '
            f'expected 0 .. {height - 1} and 0 .. {width - 1}')
    infinite = ~np.isfinite(acceleration).all(-1)
    if infinite.any():
        point = int(infinite.argmax())
        raise NotFinite(
            f'point {point} of the action field (row {row[point]}, col {col[point]}) has '
            f'acceleration ({acceleration[point, 0]}, {acceleration[point, 1]}), expected finite '
            'numbers, px/frame^2')
