# SPDX-License-Identifier: Apache-2.0
"""Recogniser: whether what a slot believes in is an object of a class."""
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


class Recogniser:
    """
    Tells classes apart by the beliefs that the objects of a bank led to.

    Shapes are Gaussians with the moments of their objects in the bank, wide, as these were
    anywhere. Colour and size are read off linearly, with the error that this has in the bank.
    """

    def __init__(self, bank: GoalBank):
        self._bank = bank
        self._shapes = None
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
            if self._shapes is None:
                self._shapes = _Shapes(bank)
            index = bank.shapes.index(look.shape)
            parts.append(lambda mean: self._shapes.log_odds(mean, index))
        if look.colour is not None:
            chosen = bank.select(colour=look.colour)
            parts.append(_Attribute.of(bank, bank.colour, chosen).log_odds)
        if look.size_range is not None:
            sizes = SIZE_STEP * (bank.size / SIZE_STEP).round()
            chosen = bank.select(size_range=look.size_range)
            parts.append(_Attribute.of(bank, sizes[:, None], chosen).log_odds)
        self._known[look] = parts

    def log_odds(self, mean: Tensor, look: Look) -> Tensor:
        """
        Return [...]: how much likelier than not beliefs `mean` [..., N] are of the class.

        The logarithm of the odds; positive speaks for the class. Where more than one thing is
        said of it, the one that fits least.
        """
        self.learn(look)
        odds = torch.full_like(mean[..., 0], torch.inf)
        for part in self._known[look]:
            odds = odds.minimum(part(mean))
        return odds


class _Shapes:
    """A Gaussian for each of the shapes that the bank knows."""

    def __init__(self, bank: GoalBank):
        count = torch.bincount(bank.shape, minlength=len(bank.shapes))
        self._present = (count >= MIN_EFFECTIVE_SAMPLES).nonzero().squeeze(1)
        moments = bank.weighted((bank.shape == self._present[:, None]).to(bank.mean.dtype))
        self._mean = moments.mean                                     # [C, N]
        self._root = torch.linalg.cholesky(moments.precision)         # [C, N, N]
        self._log_norm = self._root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        self._newest = None, None

    def log_odds(self, mean: Tensor, shape: int) -> Tensor:
        # Each frame is asked about by the goals of several shapes.
        if mean is not self._newest[0]:
            away = ((mean[..., None, :] - self._mean)[..., None, :] @ self._root).squeeze(-2)
            self._newest = mean, self._log_norm - away.square().sum(-1) / 2
        evidence = self._newest[1]
        asked = self._present == shape
        # Against the average of the others: of all shapes the likeliest then has odds above one.
        others = max(len(asked) - 1, 1)
        return (evidence[..., asked].squeeze(-1)
                - evidence[..., ~asked].logsumexp(-1) + math.log(others))


@dataclass(frozen=True)
class _Attribute:
    """
    Numbers that a linear map reads off a belief.

    gain [N, A], offset [A]; root [A, A] of the precision of what is read; values [V, A] that
    occur, log_share [V] of the objects, asked [V] bool: values of the class.
    """

    gain: Tensor
    offset: Tensor
    root: Tensor
    values: Tensor
    log_share: Tensor
    asked: Tensor

    @staticmethod
    def of(bank: GoalBank, attribute: Tensor, chosen: Tensor) -> _Attribute:
        gain, offset = bank.readout(attribute)
        error = attribute - (bank.mean @ gain + offset)
        covariance = error.mT @ error / len(error)
        identity = torch.eye(len(covariance), dtype=error.dtype, device=error.device)
        root = torch.linalg.cholesky(torch.linalg.inv(covariance + 1e-8 * identity))
        values, index, count = attribute.unique(dim=0, return_inverse=True, return_counts=True)
        asked = torch.zeros(len(values), dtype=torch.bool, device=error.device)
        asked[index[chosen]] = True
        return _Attribute(gain, offset, root, values, (count / len(error)).log(), asked)

    def log_odds(self, mean: Tensor) -> Tensor:
        found = mean @ self.gain + self.offset
        away = (found[..., None, :] - self.values) @ self.root
        evidence = self.log_share - away.square().sum(-1) / 2
        rest = evidence[..., ~self.asked]
        return evidence[..., self.asked].logsumexp(-1) - rest.logsumexp(-1)
