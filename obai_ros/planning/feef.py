# SPDX-License-Identifier: Apache-2.0
"""The free energy of the expected future (eq. 13), and the paper's greedy plan (eq. 14)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from obai_ros.model.belief import Belief
from obai_ros.planning.preference import Preference


@dataclass(frozen=True)
class Forecast:
    """
    q(s_tau) and q(s'_tau) for tau = 1..T as independent Normals, each [..., T, N].

    Latent units and latent units per frame. The variances do not depend on the actions.
    """

    mean: Tensor
    velocity: Tensor
    variance: Tensor
    velocity_variance: Tensor


def forecast(belief: Belief, dynamics: Tensor, accelerations: Tensor, state_noise: float
             ) -> Forecast:
    """
    Propagate a belief by eq. 5-6 under a plan.

    `belief` is of [..., N]; `dynamics` is D [N, 2], latent
    units per px/frame^2; `accelerations` a_0 .. a_{T-1} [..., T, 2] px/frame^2; `state_noise`
    sigma_s. The marginals of the joint propagation, so that the error of a velocity grows with
    the time it is extrapolated over.
    """
    tau, squared, collected = _time(accelerations.shape[-2], dynamics.dtype, dynamics.device)
    velocity = belief.velocity[..., None, :] + accelerations.cumsum(-2) @ dynamics.mT
    mean = belief.mean[..., None, :] + velocity.cumsum(-2)
    noise = state_noise ** 2
    velocity_variance = (2 * belief.velocity_log_sd).exp()[..., None, :]
    variance = ((2 * belief.log_sd).exp()[..., None, :] + squared * velocity_variance
                + noise * collected)
    return Forecast(mean, velocity, variance, velocity_variance + noise * tau)


@lru_cache(maxsize=16)
def _time(steps: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return tau = 1..T as a column, its square, and the state noise that s_tau has collected."""
    tau = torch.arange(1, steps + 1, dtype=dtype, device=device)[:, None]
    # (tau - i + 1) times the velocity noise of each frame i, and tau noises of s itself.
    return tau, tau.square(), tau * (tau + 1) * (2 * tau + 1) / 6 + tau


def gaussian_divergence(mean: Tensor, variance: Tensor, preference: Preference) -> Tensor:
    """
    Return KL(N(mean, diag variance) || preference), nats; never negative.

    mean and variance [..., T, N]: T beliefs for each goal of `preference` [..., N]; the answer
    is [..., T].
    """
    error = mean - preference.mean[..., None, :]
    quadratic = (error @ preference.precision * error).sum(-1)
    trace = (variance @ preference.variance_weight[..., None]).squeeze(-1)
    return (quadratic + trace - variance.log().sum(-1)
            - (preference.log_determinant + mean.shape[-1])[..., None]) / 2


def feef(future: Forecast, preference: Preference, rest: Preference | None = None) -> Tensor:
    """
    Return G [...] of eq. 13 for each slot, nats: the sum of KL(q(s_tau | pi) || ptilde(s)).

    `preference` has a goal for each slot, [..., N]. With `rest`, which is for velocities, the
    preference is over the generalised state: the wish to be at rest, s' ~ N(0, (c Lambda)^-1)
    from `Preference.at_rest`, is added. Lower is better: a plan is preferred for what it takes
    off G.
    """
    total = gaussian_divergence(future.mean, future.variance, preference)
    if rest is not None:
        total = total + gaussian_divergence(future.velocity, future.velocity_variance, rest)
    return total.sum(-1)


def eq14(mean: Tensor, preference: Preference, dynamics: Tensor) -> Tensor:
    """
    Return the acceleration [..., 2] px/frame^2 of eq. 14, to the letter.

    (D' Lambda D)^-1 D' Lambda (mu_tilde - mu_s): one step, from rest. For an object that moves it
    leaves out the velocity, and in closed loop it oscillates for ever with a period of 6 frames.
    """
    weighted = preference.precision @ dynamics
    error = (preference.mean - mean)[..., None]
    return torch.linalg.solve(dynamics.mT @ weighted, weighted.mT @ error).squeeze(-1)
