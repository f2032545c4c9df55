# SPDX-License-Identifier: Apache-2.0
"""Recogniser: whether what a slot shows is an object of a class."""
from __future__ import annotations

from dataclasses import dataclass
import math

import torch
from torch import Tensor

from obai_ros.planning.goal import Look
from obai_ros.planning.goal_bank import GoalBank, MIN_EFFECTIVE_SAMPLES
from obai_ros.planning.preference import GoalError

# Steps, px, in which sizes are told apart.
SIZE_STEP = 0.5
# Bumps that shapes are told by; their width, in sds of beliefs, per root of the latents; and the
# price of their heights. Of 2,000 objects that were held out from the bank of `fast` 72 % are told
# right, and 67 % by a Gaussian for each shape.
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
        self._known: dict[Look, list] = {}

    def learn(self, look: Look) -> None:
        """
        Get to know a class.

        Raises GoalError if there is no such class, or the bank has too few objects of it.
        """
        if look in self._known:
            return
        count = int(self._bank.select(look.shape, look.colour, look.size_range).sum())
        if count < MIN_EFFECTIVE_SAMPLES:
            raise GoalError(
                f'the goal bank has {count} objects of this class, at least '
                f'{MIN_EFFECTIVE_SAMPLES:g} are needed to know it again; widen the class, or '
                'learn a larger bank (`obai learn-goals --objects N`)')
        bank, parts = self._bank, []
        if look.shape is not None:
            index = bank.shapes.index(look.shape)
            parts.append(lambda traits: self._shapes.log_odds(traits, index))
        if look.colour is not None:
            chosen = bank.select(colour=look.colour)
            parts.append(_Attribute.of(bank, bank.colour, chosen).log_odds)
        if look.size_range is not None:
            sizes = SIZE_STEP * (bank.size / SIZE_STEP).round()
            chosen = bank.select(size_range=look.size_range)
            parts.append(_Attribute.of(bank, sizes[:, None], chosen).log_odds)
        self._known[look] = parts

    def log_odds(self, traits: Tensor, look: Look) -> Tensor:
        """
        Return [...]: how much likelier than not `traits` [..., A] are those of the class.

        The logarithm of the odds; positive speaks for the class. Where more than one thing is
        said of it, the one that fits least.
        """
        self.learn(look)
        odds = torch.full_like(traits[..., 0], torch.inf)
        for part in self._known[look]:
            odds = odds.minimum(part(traits))
        return odds


class _Shapes:
    """
    How likely the shapes of the bank are, by kernel least squares.

    Shape is no linear matter of an outline's moments. What is fitted to the bank, in closed form,
    is a sum of Gaussian bumps around CENTRES of its outlines, each moment in units of its sd.
    """

    def __init__(self, bank: GoalBank):
        count = torch.bincount(bank.shape, minlength=len(bank.shapes))
        self._present = (count >= MIN_EFFECTIVE_SAMPLES).nonzero().squeeze(1)
        outline = bank.traits[:, OUTLINE]
        self._origin, self._unit = outline.mean(0), outline.std(0).clamp(min=1e-6)
        self._width = WIDTH * outline.shape[1] ** 0.5
        order = torch.randperm(len(bank), generator=torch.Generator().manual_seed(0))
        centre = self._scaled(outline[order[:CENTRES].to(outline.device)])
        self._centre, self._far = centre.mT.contiguous(), centre.square().sum(-1) / -2
        truth = (bank.shape[:, None] == self._present).to(outline.dtype)
        self._share = truth.mean(0)
        bumps = self._bumps(outline)
        gram = (bumps.mT @ bumps).double()
        gram.diagonal().add_(RIDGE)
        target = bumps.mT @ (truth - self._share)
        self._weight = torch.linalg.solve(gram, target.double()).to(bumps.dtype)    # [M, C]
        self._newest = None, None

    def _scaled(self, outline: Tensor) -> Tensor:
        return (outline - self._origin) / (self._width * self._unit)

    def _bumps(self, outline: Tensor) -> Tensor:
        at = self._scaled(outline)
        # -|at - centre|^2 / 2, faster than as distances
        near = at @ self._centre + self._far - at.square().sum(-1, keepdim=True) / 2
        return near.exp_()

    def log_odds(self, traits: Tensor, shape: int) -> Tensor:
        # Each frame is asked about by the goals of several shapes.
        if traits is not self._newest[0]:
            likely = self._share + self._bumps(traits[..., OUTLINE]) @ self._weight
            # Nothing is certain, least of all what the sum of bumps calls impossible.
            evidence = likely.clamp(DOUBT, 1.0).log()
            # Against the average of the others: of all shapes the likeliest then has odds above
            # one.
            count = len(self._present)
            itself = torch.eye(count, dtype=torch.bool, device=traits.device)
            others = evidence[..., None, :].masked_fill(itself, -torch.inf).logsumexp(-1)
            self._newest = traits, evidence - others + math.log(max(count - 1, 1))
        return self._newest[1][..., self._present == shape].squeeze(-1)


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

    def log_odds(self, traits: Tensor) -> Tensor:
        found = traits @ self.gain + self.offset
        away = (found[..., None, :] - self.values) @ self.root
        evidence = self.log_share - away.square().sum(-1) / 2
        rest = evidence[..., ~self.asked]
        return evidence[..., self.asked].logsumexp(-1) - rest.logsumexp(-1)
