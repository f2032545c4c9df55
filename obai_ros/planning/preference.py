# SPDX-License-Identifier: Apache-2.0
"""Preference: a Gaussian over a slot's latent state, the form in which the planner takes goals."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor


class GoalError(ValueError):
    """A goal that cannot be planned for; its message says why and what to do."""


@dataclass(frozen=True)
class Preference:
    """
    The preference ptilde(s) = N(mean, precision^-1) of eq. 11, for any number of goals or slots.

    `mean` [..., N] and `precision` [..., N, N] (symmetric, positive definite) are in latent
    units. `effective_samples` [...] says how many samples a learned preference rests on
    (None where it was not learned).
    """

    mean: Tensor
    precision: Tensor
    effective_samples: Tensor | None = None

    def __post_init__(self):
        latent = self.mean.shape[-1]
        if self.precision.shape != (*self.mean.shape, latent):
            raise GoalError(
                f'a preference with a mean of shape {tuple(self.mean.shape)} needs a precision of '
                f'shape {(*self.mean.shape, latent)}, not {tuple(self.precision.shape)}')

    @staticmethod
    def diagonal(mean: Tensor, variance: Tensor) -> Preference:
        """
        Return the preference with independent dimensions, as in the paper (eq. 12).

        Raises GoalError for a variance that is not positive.
        """
        if not bool((variance > 0).all()):
            raise GoalError('the variances of a preference must be positive')
        return Preference(mean, torch.diag_embed(variance.reciprocal().expand_as(mean)))

    @staticmethod
    def from_covariance(mean: Tensor, covariance: Tensor,
                        effective_samples: Tensor | None = None) -> Preference:
        """
        Return the preference with this covariance [..., N, N].

        Raises GoalError when the covariance is not positive definite.
        """
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if failed.any():
            raise GoalError('the covariance of a preference must be symmetric and positive '
                            'definite; add variance to its diagonal')
        return Preference(mean, torch.cholesky_inverse(factor), effective_samples)

    @cached_property
    def log_determinant(self) -> Tensor:
        """Log-determinant of the precision [...]."""
        return torch.logdet(self.precision)

    @cached_property
    def variance_weight(self) -> Tensor:
        """Diagonal of the precision [..., N]: what a variance of the belief costs."""
        return self.precision.diagonal(dim1=-2, dim2=-1).contiguous()

    def at_rest(self, weight: float) -> Preference | None:
        """Return the preference for no velocity, N(0, (weight Lambda)^-1); None for no weight."""
        if weight == 0:
            return None
        return Preference(torch.zeros_like(self.mean), weight * self.precision)

    def through(self, dynamics: Tensor) -> tuple[Tensor, Tensor]:
        """Return Lambda D [..., N, 2] and D' Lambda D [..., 2, 2], for D [N, 2]."""
        weighted = self.precision @ dynamics
        return weighted, weighted.mT @ dynamics

    def __getitem__(self, index) -> Preference:
        """Select goals by their leading dimensions."""
        return self._map(lambda value: value[index])

    def expand(self, *shape: int) -> Preference:
        """Repeat the preference over leading dimensions, without copying: e.g. expand(B, K)."""
        lead = self.mean.ndim - 1
        return self._map(lambda value: value.expand(*shape, *value.shape[lead:]))

    def to(self, device) -> Preference:
        """Return the preference on `device`, or with that dtype."""
        return self._map(lambda value: value.to(device))

    @staticmethod
    def stack(preferences: list[Preference], dim: int = 0) -> Preference:
        """Join preferences along a new leading dimension (say, one goal for each slot)."""
        learned = all(p.effective_samples is not None for p in preferences)
        return Preference(
            torch.stack([p.mean for p in preferences], dim),
            torch.stack([p.precision for p in preferences], dim),
            torch.stack([p.effective_samples for p in preferences], dim) if learned else None)

    @staticmethod
    def join(preferences: list[Preference]) -> Preference:
        """Return all goals of some preferences [P, N], one list after the other."""
        return Preference(torch.cat([p.mean for p in preferences]),
                          torch.cat([p.precision for p in preferences]))

    def _map(self, function) -> Preference:
        values = (getattr(self, field.name) for field in fields(self))
        return Preference(*(None if value is None else function(value) for value in values))
