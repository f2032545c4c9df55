# SPDX-License-Identifier: Apache-2.0
"""Videos as learning wants them: frames of one size, what was done in them, the truth if known."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Footage:
    """
    F frames of one or several videos, one after the other.

    images: [F, H, W, 3] uint8 RGB. labels: [F, H, W] uint8, 0 = background, n = object n, or None
    where the truth is not known. piece: [F] int64, does not decrease: a frame follows from the one
    before it if both are of the same piece.
    acted: [A] int64, frames on which an acceleration acted, not decreasing; points: [A, 4]
    float32, its (row, col, ax, ay) in px and px/frame^2 of these images. A frame without any was
    left alone.
    """

    images: np.ndarray
    labels: np.ndarray | None
    piece: np.ndarray
    acted: np.ndarray
    points: np.ndarray

    @property
    def frames(self) -> int:
        return len(self.images)

    @property
    def pieces(self) -> int:
        return len(np.unique(self.piece))

    def starts(self, length: int) -> np.ndarray:
        """Return every frame with which an unbroken clip of `length` frames begins, [S] int64."""
        first = np.arange(max(self.frames - length + 1, 0))
        return first[self.piece[first] == self.piece[first + length - 1]]

    def in_a_row(self, length: int) -> np.ndarray:
        """Return starts of clips that have no frame in common, as many as there are."""
        starts = self.starts(length)
        since = starts - np.searchsorted(self.piece, self.piece[starts])  # frames in the piece
        return starts[since % length == 0]

    def clips(self, starts: np.ndarray, length: int):
        """
        Cut clips; return (images, labels, actions) as obai_ros.training.dataset describes them.

        starts: [S], from `starts` or `in_a_row`. Labels are None where the truth is not known.
        """
        starts = np.asarray(starts, np.int64)
        frames = starts[:, None] + np.arange(length)
        labels = None if self.labels is None else self.labels[frames]
        # The points of frame f are rows begin[f] .. end[f] - 1.
        begin = np.searchsorted(self.acted, frames.ravel())
        count = np.searchsorted(self.acted, frames.ravel(), side='right') - begin
        clip, frame = (np.repeat(index.ravel(), count)
                       for index in np.indices(frames.shape))
        offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        rows = self.points[np.repeat(begin, count) + offset]
        actions = np.column_stack([clip, frame, rows]).astype(np.float32)
        return self.images[frames], labels, actions


@dataclass(frozen=True)
class Fit:
    """
    How pictures become as large as a model's: the middle square, made larger or smaller.

    size: side of the model's images, px.
    """

    size: int

    def picture(self, image: np.ndarray) -> np.ndarray:
        """Return [size, size, 3] uint8 of an image [H, W, 3] uint8."""
        square = self._square(image)
        if square.shape[0] == self.size:
            return np.ascontiguousarray(square)
        shrinks = square.shape[0] > self.size
        return cv2.resize(square, (self.size, self.size),
                          interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Return [size, size] uint8 of labels [H, W] uint8: those of the nearest pixels."""
        return cv2.resize(np.ascontiguousarray(self._square(labels)), (self.size, self.size),
                          interpolation=cv2.INTER_NEAREST_EXACT)

    def points(self, row: np.ndarray, col: np.ndarray, acceleration: np.ndarray, height: int,
               width: int) -> tuple[np.ndarray, np.ndarray]:
        """
        Return accelerations on pixels of a larger or smaller picture, in pixels of this size.

        row, col: [P], pixels of a picture of height x width; acceleration: [P, 2] (ax, ay) in its
        px/frame^2. Returns [Q, 4] float32, (row, col, ax, ay), and which of the P these are, [P]
        bool: what is outside of the middle square is left out. A point stays on the thing it is
        on, unless that is thinner than a pixel.
        """
        side = min(height, width)
        scale = self.size / side
        row, col = row - (height - side) // 2, col - (width - side) // 2
        inside = (row >= 0) & (row < side) & (col >= 0) & (col < side)
        place = np.floor((np.stack([row, col], -1)[inside] + 0.5) * scale)
        return np.concatenate([place, acceleration[inside] * scale], -1).astype(np.float32), inside

    def _square(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return image[top:top + side, left:left + side]
