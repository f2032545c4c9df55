# SPDX-License-Identifier: Apache-2.0
"""Videos as learning wants them: frames of one size, what was done in them, the truth if known."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from obai_ros.camera.fit import fit


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
    origin: what of a recording was used, in words; '' where there was nothing to choose.
    """

    images: np.ndarray
    labels: np.ndarray | None
    piece: np.ndarray
    acted: np.ndarray
    points: np.ndarray
    origin: str = ''

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
class Framing:
    """
    How pictures become as large as a model's, as perception does it (obai_ros.camera.fit).

    size: side of the model's images, px. mode: crop, letterbox or stretch.
    """

    size: int
    mode: str = 'crop'

    def picture(self, image: np.ndarray) -> np.ndarray:
        """Return [size, size, 3] uint8 of an image [H, W, 3] uint8."""
        return self._fit(*image.shape[:2]).picture_to_grid(image)

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Return [size, size] uint8 of labels [H, W] uint8: of the nearest pixels, 0 outside."""
        height, width = labels.shape
        row, col = np.indices((self.size, self.size))
        middles = np.stack([col, row], -1) + 0.5
        col, row = np.floor(
            self._fit(height, width).points_to_picture(middles)).astype(int).transpose(2, 0, 1)
        inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
        return np.where(inside, labels[row.clip(0, height - 1), col.clip(0, width - 1)],
                        0).astype(np.uint8)

    def points(self, row: np.ndarray, col: np.ndarray, acceleration: np.ndarray, height: int,
               width: int) -> tuple[np.ndarray, np.ndarray]:
        """
        Return accelerations on pixels of a larger or smaller picture, in pixels of this size.

        row, col: [P], pixels of a picture of height x width; acceleration: [P, 2] (ax, ay) in its
        px/frame^2. Returns [Q, 4] float32, (row, col, ax, ay), and which of the P these are, [P]
        bool: what is not in the frame is left out. A point stays on the thing it is on, unless
        that is thinner than a pixel.
        """
        fitted = self._fit(height, width)
        place = np.floor(fitted.points_to_grid(np.stack([col, row], -1) + 0.5))
        inside = ((place >= 0) & (place < self.size)).all(-1)
        seen = acceleration / fitted.vectors_to_picture(np.ones(2))
        return np.concatenate([place[inside, ::-1], seen[inside]], -1).astype(np.float32), inside

    def _fit(self, height: int, width: int):
        return fit(self.mode, width, height, self.size)
