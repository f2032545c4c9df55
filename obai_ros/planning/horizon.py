# SPDX-License-Identifier: Apache-2.0
"""Horizon: the plan over T frames that minimises eq. 13, in closed form.

Beyond the paper eq. 13 is summed over the frames of the horizon, wishes for rest as well, and
action has a price (`Horizon`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obai_ros.model.belief import Belief
from obai_ros.planning.preference import Preference


@dataclass(frozen=True)
class Projection:
    """
    All that a plan depends on: beliefs and goal as seen through D, for each slot.

    gram [..., 2, 2] = D' Lambda D; error [..., 2] = D' Lambda (mu - s_0);
    drift [..., 2] = D' Lambda v_0; error_noise, drift_noise [..., 2, 2]: the covariances that
    error and drift have by the uncertainty of the belief.
    """

    gram: Tensor
    error: Tensor
    drift: Tensor
    error_noise: Tensor
    drift_noise: Tensor

    @staticmethod
    def of(belief: Belief, preference: Preference, weighted: Tensor, gram: Tensor) -> Projection:
        """
        Project beliefs [..., N] and a preference for each.

        weighted, gram: what `Preference.through` returns for the dynamics D [N, 2].
        """
        rows = weighted.mT
        return Projection(
            gram,
            (rows @ (preference.mean - belief.mean)[..., None]).squeeze(-1),
            (rows @ belief.velocity[..., None]).squeeze(-1),
            (rows * (2 * belief.log_sd).exp()[..., None, :]) @ weighted,
            (rows * (2 * belief.velocity_log_sd).exp()[..., None, :]) @ weighted)


class Horizon:
    """
    Minimiser of sum_tau (|s_tau - mu|^2 + c |v_tau|^2)_Lambda / 2 + lam sum_j |a_j|^2 / 2.

    Over `steps` frames T, of which only the first `actions` allow an action (None: all of them).

    With s_tau = s_0 + tau v_0 + sum_{j<tau} (tau - j) D a_j, the Hessian is the Kronecker product
    (Os'Os + c Ov'Ov) (x) D'Lambda D, plus lam I. The T x T factor depends on T and c only and is
    diagonalised here, once; what remains for a slot are T systems of size 2 x 2.
    """

    def __init__(self, steps: int, velocity_weight: float, dtype=torch.float32, device='cpu',
                 actions: int | None = None):
        tau = torch.arange(1, steps + 1, dtype=torch.float64)[:, None]
        frame = torch.arange(steps if actions is None else actions, dtype=torch.float64)
        moved = (tau - frame).clamp(min=0)                # Omega_s [tau, j]
        gained = (frame < tau).to(torch.float64)          # Omega_v [tau, j]
        coupling = moved.mT @ moved + velocity_weight * gained.mT @ gained
        values, vectors = torch.linalg.eigh(coupling)
        ones = torch.ones(steps, dtype=torch.float64)
        error_gain = moved.mT @ ones
        drift_gain = moved.mT @ tau.squeeze(1) + velocity_weight * gained.mT @ ones

        def constant(value: Tensor) -> Tensor:
            return value.to(dtype=dtype, device=device)

        self.actions = len(frame)
        self.coupling = constant(coupling)
        self.values = constant(values)
        self.vectors = constant(vectors)
        self.error_gain = constant(error_gain)
        self.drift_gain = constant(drift_gain)
        self._error_modes = constant(vectors.mT @ error_gain)
        self._drift_modes = constant(vectors.mT @ drift_gain)

    def target(self, projection: Projection) -> Tensor:
        """Return the linear term b [..., actions, 2] of the objective a' H a / 2 - b' a."""
        return (self.error_gain[:, None] * projection.error[..., None, :]
                - self.drift_gain[:, None] * projection.drift[..., None, :])

    def mode_inverses(self, gram: Tensor, cost: Tensor) -> Tensor:
        """
        Return (e_i D'Lambda D + lam I)^-1, [..., actions, 2, 2], for the eigenvalues e_i.

        They depend on the goal only: gram [..., 2, 2] is its D'Lambda D, `cost` [...] lam >= 0.
        """
        aa = self.values * gram[..., 0, 0, None] + cost[..., None]
        bb = self.values * gram[..., 1, 1, None] + cost[..., None]
        ab = self.values * gram[..., 0, 1, None]
        determinant = aa * bb - ab.square()
        inverse = torch.stack([bb, -ab, -ab, aa], -1).unflatten(-1, (2, 2))
        return inverse / determinant[..., None, None]

    def solve(self, projection: Projection, inverse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return plan [..., actions, 2] px/frame^2, the fall of the objective by it, and its noise.

        `inverse` is what `mode_inverses` returns for the goal. The fall [...] (nats) is that from
        "no action" to the plan; the noise [...] is what the fall would be on average, were the
        object at its goal and at rest and the belief in error by its own uncertainty.
        """
        modes, answer = self._modes(projection, inverse)
        fall = (modes * answer).sum((-2, -1)) / 2
        error, drift = (modes.square()[:, None, None]
                        for modes in (self._error_modes, self._drift_modes))
        spread = (error * projection.error_noise[..., None, :, :]
                  + drift * projection.drift_noise[..., None, :, :])
        noise = (inverse * spread).sum((-3, -2, -1)) / 2
        return self.vectors @ answer, fall, noise

    def minimiser(self, projection: Projection, inverse: Tensor) -> Tensor:
        """Return the plan of `solve` alone."""
        return self.vectors @ self._modes(projection, inverse)[-1]

    def hessian(self, projection: Projection, cost: Tensor) -> Tensor:
        """Return H [..., 2 actions, 2 actions], accelerations ordered (ax_0, ay_0, ax_1, ...)."""
        size = 2 * self.actions
        outer = torch.einsum('ij,...kl->...ikjl', self.coupling, projection.gram)
        identity = torch.eye(size, dtype=outer.dtype, device=outer.device)
        return outer.reshape(*outer.shape[:-4], size, size) + cost[..., None, None] * identity

    def curvature(self, projection: Projection, cost: Tensor) -> tuple[Tensor, Tensor]:
        """Return the least and the greatest eigenvalue [...] of the Hessian."""
        gram = projection.gram
        half = (gram[..., 0, 0] + gram[..., 1, 1]) / 2
        radius = torch.hypot((gram[..., 0, 0] - gram[..., 1, 1]) / 2, gram[..., 0, 1])
        return (self.values[0] * (half - radius).clamp(min=0) + cost,
                self.values[-1] * (half + radius) + cost)

    def _modes(self, projection: Projection, inverse: Tensor) -> tuple[Tensor, Tensor]:
        """Return the linear term and the best answer for each eigenvector, [..., actions, 2]."""
        modes = (self._error_modes[:, None] * projection.error[..., None, :]
                 - self._drift_modes[:, None] * projection.drift[..., None, :])
        return modes, (inverse @ modes[..., None]).squeeze(-1)
