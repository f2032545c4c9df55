# SPDX-License-Identifier: Apache-2.0
"""Linear dynamics in generalised coordinates (eq. 5-6)."""
from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from obai_ros.model.belief import ActionBelief, Belief
from obai_ros.model.config import ModelConfig
from obai_ros.model.glimpse import pushed


class Dynamics(nn.Module):
    """s'_t = s'_{t-1} + D a_{t-1} + noise;  s_t = s_{t-1} + s'_t + noise, both of sd sigma_s."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.sigma_s = config.sigma_s
        moves = config.decoder == 'glimpse'
        self.D = nn.Parameter(pushed(config.latent_size, config.image_size) if moves
                              else 0.02 * torch.randn(config.latent_size, 2))
        """[N, 2], latent units per px/frame^2: what an acceleration does to the derivative."""
        if moves:
            # Beyond the paper, which learns all of D: it begins as what moves a square, and of
            # its rows those of places alone are learned. What moves a square changes nothing else
            # of it; left to learn how else it might, D takes up some appearance, and `confined`
            # velocities lead there and fall short.
            self.D.register_hook(
                lambda slope: torch.cat([slope[:2], torch.zeros_like(slope[2:])]))

    def push(self, acceleration: Tensor) -> Tensor:
        """Return D a: [..., 2] px/frame^2 -> [..., N]."""
        return acceleration @ self.D.t()

    def confined(self, velocity: Tensor) -> Tensor:
        """Return the part of velocities [..., N] that accelerations bring about: in D's span."""
        basis = torch.linalg.qr(self.D).Q  # [N, 2], orthonormal
        return velocity @ basis @ basis.mT

    @torch.no_grad()
    def place_projection(self) -> Tensor:
        """Return [N, N], which takes states to their part in D's span, as `confined` does."""
        return self.confined(torch.eye(len(self.D), dtype=self.D.dtype, device=self.D.device))

    def extrapolate(self, belief: Belief, action: ActionBelief, confined: bool = False) -> Belief:
        """
        Return the belief about the next frame, means and variances propagated.

        confined: forget velocities that no acceleration can bring about (see `Schedule`).
        """
        if confined:
            belief = replace(belief, velocity=self.confined(belief.velocity))
        return moved_on(belief, action, self.D, self.sigma_s)

    def transition_term(self, now: Belief, before: Belief, action: ActionBelief) -> Tensor:
        """
        Return [..., K]: -E log p(s_t, s'_t | s_{t-1}, s'_{t-1}, a_{t-1}), nats.

        Exact under independent Normals: every variance that enters a residual adds to it.
        """
        push = self.push(action.mean)
        acceleration_error = (  # eq. 5
            (now.velocity - before.velocity - push).square() + now.velocity_variance
            + before.velocity_variance + action.variance @ self.D.t().square())
        velocity_error = (      # eq. 6
            (now.mean - before.mean - now.velocity).square() + now.variance + before.variance
            + now.velocity_variance)
        constant = 2 * now.mean.shape[-1] * (math.log(self.sigma_s) + 0.5 * math.log(2 * math.pi))
        return (acceleration_error + velocity_error).sum(-1) / (2 * self.sigma_s ** 2) + constant


def moved_on(belief: Belief, action: ActionBelief, D: Tensor, sigma_s: float) -> Belief:
    """Return the belief about the next frame (eq. 5-6), means and variances propagated."""
    velocity, noise = belief.velocity + action.mean @ D.t(), sigma_s ** 2
    velocity_variance = belief.velocity_variance + action.variance @ D.t().square() + noise
    variance = belief.variance + velocity_variance + noise
    return Belief(belief.mean + velocity, velocity, 0.5 * variance.log(),
                  0.5 * velocity_variance.log())


def prior_term(belief: Belief) -> Tensor:
    """Return [..., K]: -E log p(s, s') of the first frame, whose prior is N(0, I), nats."""
    squares = (belief.mean.square() + belief.velocity.square() + belief.variance
               + belief.velocity_variance).sum(-1)
    return 0.5 * squares + belief.mean.shape[-1] * math.log(2 * math.pi)
