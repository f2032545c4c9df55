# SPDX-License-Identifier: Apache-2.0
"""Variational beliefs: independent Normals over states, their derivatives, and actions."""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# Bounds that no trained model comes near; they keep beliefs finite on images unlike any it saw.
MEAN_BOUND = 50.0
LOG_SD_BOUNDS = (-6.0, 2.0)


@dataclass(frozen=True)
class Belief:
    """
    q(s, s'): what a slot believes about its object's state and the state's derivative.

    mean, velocity: [..., K, N], means of s and of s' (per frame).
    log_sd, velocity_log_sd: [..., K, N], logarithms of the standard deviations.
    """

    mean: Tensor
    velocity: Tensor
    log_sd: Tensor
    velocity_log_sd: Tensor

    @staticmethod
    def unpack(packed: Tensor) -> Belief:
        """Read lambda [..., K, 4N]: the order is mean, velocity, log_sd, velocity_log_sd."""
        return Belief(*packed.chunk(4, -1))

    def pack(self) -> Tensor:
        """Return lambda [..., K, 4N]."""
        return torch.cat([self.mean, self.velocity, self.log_sd, self.velocity_log_sd], -1)

    @property
    def variance(self) -> Tensor:
        return (2.0 * self.log_sd).exp()

    @property
    def velocity_variance(self) -> Tensor:
        return (2.0 * self.velocity_log_sd).exp()

    def entropy(self) -> Tensor:
        """Return [..., K]: H(q) in nats."""
        size = 2 * self.mean.shape[-1]
        constant = 0.5 * size * (1.0 + math.log(2.0 * math.pi))
        return (self.log_sd + self.velocity_log_sd).sum(-1) + constant

    def __getitem__(self, index) -> Belief:
        return Belief(self.mean[index], self.velocity[index], self.log_sd[index],
                      self.velocity_log_sd[index])

    def detach(self) -> Belief:
        return Belief(self.mean.detach(), self.velocity.detach(), self.log_sd.detach(),
                      self.velocity_log_sd.detach())


def bounded(packed: Tensor) -> Tensor:
    """Return lambda [..., 4N] within bounds, so that no image can make a belief infinite."""
    means, log_sds = packed.chunk(2, -1)
    return torch.cat([means.clamp(-MEAN_BOUND, MEAN_BOUND), log_sds.clamp(*LOG_SD_BOUNDS)], -1)


@dataclass(frozen=True)
class ActionBelief:
    """
    q(a): the acceleration that each slot believes its object to have received.

    mean: [..., K, 2], px/frame^2, x right, y down. log_sd: [..., K, 2].
    """

    mean: Tensor
    log_sd: Tensor

    @property
    def variance(self) -> Tensor:
        return (2.0 * self.log_sd).exp()

    def entropy(self) -> Tensor:
        """Return [..., K]: H(q) in nats."""
        return self.log_sd.sum(-1) + 1.0 + math.log(2.0 * math.pi)

    def __getitem__(self, index) -> ActionBelief:
        return ActionBelief(self.mean[index], self.log_sd[index])

    def detach(self) -> ActionBelief:
        return ActionBelief(self.mean.detach(), self.log_sd.detach())
