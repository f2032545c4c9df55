# SPDX-License-Identifier: Apache-2.0
"""`window.expected` written out, as a compiler can take it whole: what a new frame is to show."""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from obai_ros.model.belief import ActionBelief, Belief, bounded
from obai_ros.model.dynamics import moved_on
from obai_ros.model.obai import Obai
from obai_ros.model.object_action import expected_action


class Expecting(nn.Module):
    """Says what slots received from an action field, and where that leads; it copies D."""

    def __init__(self, model: Obai):
        super().__init__()
        self.sigma_s, self.sigma_psi = model.config.sigma_s, model.config.sigma_psi
        D = model.dynamics.D.detach()
        self.register_buffer('D', D.clone(), persistent=False)
        # A projection: what `dynamics.confined` does, worked out once.
        span = model.dynamics.confined(torch.eye(len(D), dtype=D.dtype, device=D.device))
        self.register_buffer('span', span.detach(), persistent=False)

    def forward(self, packed: Tensor, mask: Tensor, index: Tensor, acceleration: Tensor,
                confined: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return lambda of the new frame [B, K, 4N], and q(a) of the field [B, K, 4].

        packed: [B, K, 4N], of the newest frame; mask: [B, K, M], mhat there. index: [B, P] int64,
        pixels in 0..M-1; acceleration: [B, P, 2], px/frame^2: the field that acts on it.
        confined: [] bool, as in `Schedule`.
        """
        belief = Belief.unpack(packed)
        points = index[:, None].expand(-1, mask.shape[1], -1)
        received = expected_action(mask.gather(-1, points), acceleration)
        action = ActionBelief(received, torch.full_like(received, math.log(self.sigma_psi)))
        velocity = torch.where(confined, belief.velocity @ self.span, belief.velocity)
        belief = Belief(belief.mean, velocity, belief.log_sd, belief.velocity_log_sd)
        predicted = bounded(moved_on(belief, action, self.D, self.sigma_s).pack())
        return predicted, torch.cat([action.mean, action.log_sd], -1)
