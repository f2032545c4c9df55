# SPDX-License-Identifier: Apache-2.0
"""Recogniser: whether what a slot shows is an object of a class."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from obai_ros.planning.goal import ObjectClass
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.preference import GoalError

# Objects that it takes to know what they have in common.
MIN_OBJECTS = 20
# Steps, px, in which sizes are told apart.
SIZE_STEP = 0.5
# Bumps that shapes are told by; their width, in sds of traits of outlines, per root of how many
# these are; and the price of their heights. Of 2,000 objects that were held out from the bank of
# `fast` 89 % are told right.
CENTRES, WIDTH, RIDGE = 500, 0.25, 0.01
# Least probability of a shape.
DOUBT = 0.02
# The traits of outlines.
OUTLINE = slice(4, None)


class Recogniser:
    """
    Tells classes apart by what the objects of a bank were seen to look like.

    Shapes are told by kernel least squares. Colour and size are read off linearly, with the error
    that this has in the bank.
    """

    def __init__(self, bank: GoalBank):
        self._bank = bank
        self._shapes = _Shapes(bank)  # now and not when asked: it takes some tenths of a second
        self._known: dict[ObjectClass, list] = {}

    def learn(self, wanted: ObjectClass) -> None:
        """
        Get to know a class.

        Shape, colour and size are learned one by one, so that a class needs no objects that
        have all of them. Raises GoalError if there is no such class, or the bank has too few
        objects of its shape, colour or size.
        """
        if wanted in self._known:
            return
        bank, parts = self._bank, []
        if wanted.shape is not None:
            _require_enough(bank, f'of the shape {wanted.shape!r}', shape=wanted.shape)
            index = bank.shapes.index(wanted.shape)
            parts.append(lambda reading: reading.shape_odds[..., self._shapes.column(index)])
        if wanted.colour is not None:
            chosen = _require_enough(bank, 'of this colour', colour=wanted.colour)
            parts.append(_Attribute.of(bank, bank.colour, chosen).log_odds)
        if wanted.size_range is not None:
            chosen = _require_enough(bank, 'of such a size', size_range=wanted.size_range)
            sizes = SIZE_STEP * (bank.size / SIZE_STEP).round()
            parts.append(_Attribute.of(bank, sizes[:, None], chosen).log_odds)
        self._known[wanted] = parts

    def read(self, traits: Tensor) -> Reading:
        """Return what there is to read off traits [..., A]."""
        return Reading(traits, self._shapes)

    def log_odds(self, reading: Reading, wanted: ObjectClass) -> Tensor:
        """
        Return [...]: how much likelier than not what was read is of the class.

        The logarithm of the odds; positive speaks for the class. Where more than one thing is
        said of it, the one that fits least.
        """
        self.learn(wanted)
        odds = torch.full_like(reading.traits[..., 0], torch.inf)
        for part in self._known[wanted]:
            odds = odds.minimum(part(reading))
        return odds


@dataclass(frozen=True)
class Reading:
    """Traits [..., A], and what a recogniser reads off them whichever class is asked about."""

    traits: Tensor
    shapes: _Shapes

    @cached_property
    def shape_odds(self) -> Tensor:
        """Log-odds [..., C] of the shapes; each frame is asked about by the goals of several."""
        return self.shapes.log_odds(self.traits)


def _require_enough(bank: GoalBank, words: str, **wanted) -> Tensor:
    """Return which objects are `wanted` (see `select`); raise GoalError if they are too few."""
    chosen = bank.select(**wanted)
    count = int(chosen.sum())
    if count < MIN_OBJECTS:
        raise GoalError(
            f'the goal bank has {count} objects {words}, at least {MIN_OBJECTS} are needed to '
            f'know one again; widen the class, or learn a larger bank ({bank.larger})')
    return chosen


class _Shapes:
    """
    How likely the shapes of the bank are, by kernel least squares.

    Shape is no linear matter of an outline's moments. What is fitted to the bank, in closed form,
    is a sum of Gaussian bumps around CENTRES of its outlines, each moment in units of its sd.
    """

    def __init__(self, bank: GoalBank):
        # In numpy, which takes a third of the time of torch for what is as small as this.
        shape, outline = bank.shape.cpu().numpy(), bank.traits[:, OUTLINE].cpu().numpy()
        count = np.bincount(shape, minlength=len(bank.shapes))
        self._present = np.flatnonzero(count >= MIN_OBJECTS)
        self._origin = outline.mean(0)
        self._unit = WIDTH * outline.shape[1] ** 0.5 * outline.std(0, ddof=1).clip(1e-6)
        order = torch.randperm(len(bank), generator=torch.Generator().manual_seed(0)).numpy()
        centre = (outline[order[:CENTRES]] - self._origin) / self._unit
        self._centre, self._far = centre.T.copy(), np.square(centre).sum(-1) / 2
        truth = (shape[:, None] == self._present).astype(outline.dtype)
        self._share = truth.mean(0)
        bumps = self._bumps(outline)
        gram = (bumps.T @ bumps).astype(np.float64) + RIDGE * np.eye(len(self._far))
        target = (bumps.T @ (truth - self._share)).astype(np.float64)
        self._weight = np.linalg.solve(gram, target).astype(bumps.dtype)         # [M, C]

    def _bumps(self, outline: np.ndarray) -> np.ndarray:
        at = (outline - self._origin) / self._unit
        # -|at - centre|^2 / 2, without the differences
        near = at @ self._centre - self._far
        near -= np.square(at).sum(-1, keepdims=True) / 2
        return np.exp(near, out=near)

    def column(self, shape: int) -> int:
        """Return the column of `log_odds` that is about a shape, an index into the bank's."""
        return int(np.searchsorted(self._present, shape))

    def log_odds(self, traits: Tensor) -> Tensor:
        """Return [..., C] for traits [..., A]: of the shapes that enough objects have."""
        outline = traits[..., OUTLINE].cpu().numpy()
        likely = self._share + self._bumps(outline.reshape(-1, outline.shape[-1])) @ self._weight
        # Nothing is certain, least of all what the sum of bumps calls impossible.
        likely = likely.clip(DOUBT, 1.0)
        # Against the average of the others: of all shapes the likeliest then has odds above one.
        others = (likely.sum(-1, keepdims=True) - likely) / max(len(self._present) - 1, 1)
        with np.errstate(divide='ignore'):  # there is but one shape
            odds = np.log(likely / others)
        return torch.from_numpy(odds).to(traits).view(*outline.shape[:-1], len(self._present))


@dataclass(frozen=True)
class _Attribute:
    """
    Numbers that a linear map reads off traits.

    gain [A, V], offset [V]; root [V, V] of the precision of what is read; values [U, V] that
    occur, log_share [U] of the objects, asked [U] bool: values of the class.
    """

    gain: Tensor
    offset: Tensor
    root: Tensor
    values: Tensor
    log_share: Tensor
    asked: Tensor

    @staticmethod
    def of(bank: GoalBank, attribute: Tensor, chosen: Tensor) -> _Attribute:
        gain, offset = bank.readout(attribute, bank.traits)
        error = attribute - (bank.traits @ gain + offset)
        covariance = error.mT @ error / len(error)
        identity = torch.eye(len(covariance), dtype=error.dtype, device=error.device)
        root = torch.linalg.cholesky(torch.linalg.inv(covariance + 1e-8 * identity))
        values, index, count = attribute.unique(dim=0, return_inverse=True, return_counts=True)
        asked = torch.zeros(len(values), dtype=torch.bool, device=error.device)
        asked[index[chosen]] = True
        return _Attribute(gain, offset, root, values, (count / len(error)).log(), asked)

    def log_odds(self, reading: Reading) -> Tensor:
        found = reading.traits @ self.gain + self.offset
        away = (found[..., None, :] - self.values) @ self.root
        evidence = self.log_share - away.square().sum(-1) / 2
        rest = evidence[..., ~self.asked]
        return evidence[..., self.asked].logsumexp(-1) - rest.logsumexp(-1)
