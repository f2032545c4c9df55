# SPDX-License-Identifier: Apache-2.0
"""How a picture of any size meets the square grid of a model, and the way back.

Points are (x, y) px, x right, y down; pixel (row, col) covers [col, col + 1) x [row, row + 1), in
the picture as on the grid.
"""

import dataclasses

import cv2
import numpy as np

MODES = ('crop', 'letterbox', 'stretch')

_GREY = (127, 127, 127)
"""Fills what a letterbox leaves free: a grey ground is what comes closest to nothing there."""


@dataclasses.dataclass(frozen=True)
class Fit:
    """Where the grid, size x size px, lies in a picture of width x height px.

    The point (x, y) of the grid is the point (offset_x + scale_x * x, offset_y + scale_y * y) of
    the picture. The grid may reach beyond the picture, and the picture beyond the grid.
    """

    width: int
    height: int
    size: int
    offset_x: float = 0.
    offset_y: float = 0.
    scale_x: float = 1.
    scale_y: float = 1.

    def picture_to_grid(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture [height, width, 3] uint8 on the grid, [size, size, 3] uint8."""
        if (self.width, self.height) == (self.size, self.size) and self.scale_x == 1:
            return picture
        rows, cols, grid_rows, grid_cols = self._overlap()
        grid = np.full((self.size, self.size, 3), _GREY, np.uint8)
        shape = grid[grid_rows, grid_cols].shape[:2]
        seen = picture[rows, cols]
        shrinks = shape[0] < seen.shape[0] or shape[1] < seen.shape[1]
        grid[grid_rows, grid_cols] = cv2.resize(
            np.ascontiguousarray(seen), shape[::-1],
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return grid

    def labels_to_picture(self, labels: np.ndarray, outside: int) -> np.ndarray:
        """Return labels [size, size] uint8 for the picture, [height, width] uint8.

        outside: the label of what the grid does not cover.
        """
        rows, cols, grid_rows, grid_cols = self._overlap()
        picture = np.full((self.height, self.width), outside, np.uint8)
        shape, seen = picture[rows, cols].shape, labels[grid_rows, grid_cols]
        if 0 not in shape and seen.size:  # who is told where the grid is may be told that it isn't
            picture[rows, cols] = cv2.resize(
                np.ascontiguousarray(seen), shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        return picture

    def points_to_picture(self, points) -> np.ndarray:
        """Return where points [..., 2] of the grid are in the picture."""
        return self._offset() + self._scale() * np.asarray(points, np.float64)

    def points_to_grid(self, points) -> np.ndarray:
        """Return where points [..., 2] of the picture are on the grid."""
        return (np.asarray(points, np.float64) - self._offset()) / self._scale()

    def vectors_to_picture(self, vectors) -> np.ndarray:
        """Return displacements [..., 2] on the grid, such as accelerations, as in the picture."""
        return self._scale() * np.asarray(vectors, np.float64)

    def _offset(self):
        return np.array([self.offset_x, self.offset_y])

    def _scale(self):
        return np.array([self.scale_x, self.scale_y])

    def _overlap(self):
        """Return which rows and columns of the picture are which of the grid: four slices."""
        rows, grid_rows = _overlap(self.offset_y, self.scale_y, self.height, self.size)
        cols, grid_cols = _overlap(self.offset_x, self.scale_x, self.width, self.size)
        return rows, cols, grid_rows, grid_cols


def fit(mode: str, width: int, height: int, size: int) -> Fit:
    """Fit a picture of width x height px to a grid of size x size px.

    mode: crop = the largest square in its middle, proportions kept; letterbox = all of it,
    proportions kept, grey where it does not reach; stretch = all of it, proportions lost.
    Raises ValueError for another mode or a size that is not positive.
    """
    if mode not in MODES:
        raise ValueError(f'resize is {mode!r}, expected one of {", ".join(MODES)}')
    if min(width, height, size) < 1:
        raise ValueError(f'cannot fit {width}x{height} px to {size}x{size} px, expected more of '
                         'them')
    if mode == 'stretch':
        return Fit(width, height, size, 0., 0., width / size, height / size)
    if mode == 'crop':
        side = min(width, height)
        return Fit(width, height, size, float((width - side) // 2), float((height - side) // 2),
                   side / size, side / size)
    # Whole pixels of the grid, so that no pixel is half picture, half margin.
    across, down = (max(1, round(length * size / max(width, height)))
                    for length in (width, height))
    scale_x, scale_y = width / across, height / down
    return Fit(width, height, size, scale_x * -((size - across) // 2),
               scale_y * -((size - down) // 2), scale_x, scale_y)


def _overlap(offset, scale, length, size):
    """Return which pixels of a line of the picture are which of the grid: two slices."""
    first = max(0, round(-offset / scale))
    last = max(first, min(size, round((length - offset) / scale)))
    begin, end = (min(max(0, round(offset + scale * edge)), length) for edge in (first, last))
    return slice(begin, end), slice(first, last)
