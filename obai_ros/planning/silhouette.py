# SPDX-License-Identifier: Apache-2.0
"""Silhouettes: outlines of objects, remembered, and found again in what shows of them."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
import math

import cv2
import numpy as np

from obai_ros.model.traits import LEAST_MOMENT, OUTLINE, POWERS

# A silhouette reaches this share of the image's side from its middle to each side.
REACH = 0.25
# Share of pixels of a silhouette that are not what they should be.
WRONG = 0.03
# What a pixel says, as a share of its likelihood: neighbours err together.
WORTH = 0.3
# Standard deviations of where an object may be that are searched, and px at most.
SEARCHED, FARTHEST = 3.0, 8
# px. What a place is off by that silhouettes tell.
PLACE_SD = 0.3
# How likely a pixel that was always hidden belongs to an object.
UNKNOWN = 0.3
# Share of a silhouette below which there is nothing.
NOTHING = 0.01
# Share of the newest look in a silhouette.
NEWEST = 0.2


class Evidence:
    """
    What the labels of an image say about an object.

    own [H, W] bool: pixels that are the object's; free [H, W] bool: those at which nothing could
    hide it, as what shows there is behind all objects. Others say nothing: the object may be
    there, hidden.
    """

    def __init__(self, own: np.ndarray, free: np.ndarray):
        self._maps = np.stack([own, free])

    def around(self, place: np.ndarray, reach: int) -> np.ndarray:
        """Return [2, 2 reach + 1, 2 reach + 1]: own and free at px around a place (x, y)."""
        height, width = self._maps.shape[1:]
        x = min(max(float(place[0]), 0.0), width) - 0.5 - reach
        y = min(max(float(place[1]), 0.0), height) - 0.5 - reach
        left, top = math.floor(x), math.floor(y)
        x, y = x - left, y - top
        size = 2 * reach + 2
        # Beyond the image everything says nothing.
        cut = np.zeros((2, size, size), np.float32)
        inside = self._maps[:, max(top, 0):top + size, max(left, 0):left + size]
        row, column = max(-top, 0), max(-left, 0)
        cut[:, row:row + inside.shape[1], column:column + inside.shape[2]] = inside
        cut = (1 - y) * cut[:, :-1] + y * cut[:, 1:]
        return (1 - x) * cut[:, :, :-1] + x * cut[:, :, 1:]


@dataclass(frozen=True)
class Silhouette:
    """likely [2 R + 1, 2 R + 1] in [0, 1]: that a px so far from an object's middle is its own."""

    likely: np.ndarray

    @cached_property
    def odds(self) -> tuple[np.ndarray, np.ndarray]:
        """
        Return how much likelier pixels are that are own, and those that are free, nats.

        [2 S + 1, 2 S + 1] each, if the silhouette is laid on them instead of beside them. What
        lies beyond the outline makes no difference and is cut off.
        """
        middle = len(self.likely) // 2
        near = self.likely > NOTHING
        columns, rows = np.flatnonzero(near.any(0)), np.flatnonzero(near.any(1))
        size = max((abs(int(end) - middle) for line in (columns, rows) if len(line)
                    for end in (line[0], line[-1])), default=0)
        near = self.likely[middle - size:middle + size + 1, middle - size:middle + size + 1]
        covered = WRONG + (1 - 2 * WRONG) * near.astype(np.float32)
        # Own pixels out of the silhouette's reach are wrong, as those are at its rim.
        return WORTH * np.log(covered / WRONG), WORTH * np.log((1 - covered) / (1 - WRONG))

    @cached_property
    def form(self) -> np.ndarray:
        """
        Return [A - 3]: size and outline, as `model.traits` tells them.

        Each pixel counts as the object's or not, as it likelier is: looks from several places
        have blurred the rim, which moments would take for another shape.
        """
        row, column = np.nonzero(self.likely > 0.5)
        mass = max(len(row), 1)
        place = column + 1j * row
        place = (place - place.sum() / mass) / mass ** 0.5
        power = [np.ones_like(place)]
        for _ in range(1, POWERS):
            power.append(power[-1] * place)
        moment = np.array([np.vdot(power[q], power[p]) for p, q in OUTLINE]) / mass
        outline = np.log(np.abs(moment).clip(LEAST_MOMENT))
        return np.concatenate([[mass ** 0.5], outline])


def reach(height: int, width: int) -> int:
    """Return how far silhouettes reach from their middle to each side, px."""
    return int(np.ceil(REACH * max(height, width)))


def remember(silhouette: Silhouette | None, evidence: Evidence, place: np.ndarray, size: int
             ) -> Silhouette:
    """
    Return a silhouette, R = size, after one more look.

    silhouette: what it was before, None at the first look; place (x, y) px: the middle of the
    object. Where the evidence says nothing, it stays what it was.
    """
    own, free = evidence.around(place, size)
    if silhouette is None:
        return Silhouette(own + UNKNOWN * (1 - own - free))
    before = silhouette.likely
    return Silhouette(before + NEWEST * (own + free) * (own - before))


def find(silhouette: Silhouette, evidence: Evidence, place: np.ndarray, variance: float
         ) -> tuple[np.ndarray, float] | None:
    """
    Return where an object is, (x, y) px, and the variance of that, px^2; None if out of reach.

    place, variance: where it is expected. The likelihood of the evidence where the silhouette is
    laid on it, on a grid of whole px about `place`, times the normal distribution expected; its
    top is sought between the points of the grid along a parabola.
    """
    far = min(max(math.ceil(SEARCHED * math.sqrt(variance)), 2), FARTHEST)
    own, free = silhouette.odds
    shown = evidence.around(place, len(own) // 2 + far)
    # The sums of products, wherever the silhouette fits in.
    fit = (cv2.matchTemplate(shown[0], own, cv2.TM_CCORR)
           + cv2.matchTemplate(shown[1], free, cv2.TM_CCORR))
    offset, square = _grid(far)
    fit -= (square[:, None] + square) / (2 * variance)
    row, column = divmod(int(fit.argmax()), 2 * far + 1)
    if not (0 < row < 2 * far and 0 < column < 2 * far):
        return None
    share = np.exp(fit - fit[row, column])
    across, down = share.sum(0), share.sum(1)
    total = across.sum()
    middle = np.array([across @ offset, down @ offset]) / total
    spread = ((across + down) @ square / total - middle @ middle) / 2
    if spread < 0.25:
        middle = np.array([offset[column] + _vertex(fit[row, column - 1:column + 2]),
                           offset[row] + _vertex(fit[row - 1:row + 2, column])])
    return place + middle, max(spread, 0.0) + PLACE_SD ** 2


@lru_cache
def _grid(far: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets -far .. far, px, and their squares."""
    offset = np.arange(-far, far + 1, dtype=np.float32)
    return offset, offset ** 2


def _vertex(values: np.ndarray) -> float:
    """Return where the parabola through three values is highest, from the middle one."""
    left, top, right = values
    bend = 2 * top - left - right
    return 0.0 if bend <= 0 else float(0.5 * (right - left) / bend)
