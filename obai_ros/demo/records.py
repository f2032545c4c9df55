# SPDX-License-Identifier: Apache-2.0
"""What is kept of a closed-loop episode: plain arrays, from which everything else is computed."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Frame:
    """
    One frame of the closed loop.

    position, velocity: [O, 2] float32, true (x, y) of the objects, px and px/frame.
    image, reconstruction: [H, W, 3] uint8 RGB; labels: [H, W] uint8 (0 background, k + 1 slot k,
    255 unlabelled); arrows: (row, col, ax, ay), the action that answered this image, px/frame^2.
    time: s, when the frame arrived, on a clock that never jumps. Pictures that are not kept are
    None.
    """

    position: np.ndarray
    velocity: np.ndarray
    image: np.ndarray | None
    labels: np.ndarray | None
    reconstruction: np.ndarray | None
    arrows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    time: float


@dataclass(frozen=True)
class Episode:
    """Frames 0..S of one episode of S steps, and where the objects were meant to go, (x, y) px."""

    goal: tuple[float, float]
    frames: tuple[Frame, ...]

    @property
    def steps(self) -> int:
        return len(self.frames) - 1

    def without_pictures(self) -> Episode:
        """Return what figures are made of: a long run has no room for the pictures."""
        return replace(self, frames=tuple(
            replace(frame, image=None, labels=None, reconstruction=None)
            for frame in self.frames))

    def distances(self) -> np.ndarray:
        """Return the distance of each object to the goal at each frame, [S + 1, O] px."""
        return distances(np.stack([frame.position for frame in self.frames]), self.goal)


def distances(position: np.ndarray, goal: tuple[float, float]) -> np.ndarray:
    """Return the Euclidean distance of positions [..., 2] to the goal (x, y): [...] px."""
    return np.linalg.norm(position - np.asarray(goal, dtype=np.float64), axis=-1)


def sample_goals(count: int, height: int, width: int, seed: int) -> list[tuple[float, float]]:
    """Draw one goal (x, y) px per episode, uniform in the middle 60 % of the image."""
    fractions = np.random.default_rng(seed).uniform(0.2, 0.8, (count, 2))
    return [(float(x * width), float(y * height)) for x, y in fractions]
