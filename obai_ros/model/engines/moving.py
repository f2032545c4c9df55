# SPDX-License-Identifier: Apache-2.0
"""`velocity.best_velocities` written out, as a compiler can take it whole."""
from __future__ import annotations

import torch
from torch import Tensor, nn

from obai_ros.model.belief import Belief
from obai_ros.model.obai import Obai
from obai_ros.model.velocity import weights


class Moving(nn.Module):
    """Says how fast things move in windows of some frames; it copies D."""

    def __init__(self, model: Obai, frames: int):
        super().__init__()
        D = model.dynamics.D.detach()
        self.register_buffer('D', D.clone(), persistent=False)
        for name, has_past in ('with_past', True), ('without', False):
            self.register_buffer(name, weights(frames, has_past, model.config.sigma_s).to(D),
                                 persistent=False)

    def forward(self, packed: Tensor, action_packed: Tensor, known: Tensor, past: Tensor,
                past_action: Tensor) -> tuple[Tensor]:
        """
        Return lambda [B, F, K, 4N] with the best means of velocities.

        action_packed: [B, F - 1, K, 4]. known, past, past_action: as in `refining.Refining`.
        """
        belief, before = Belief.unpack(packed), Belief.unpack(past)
        start = torch.where(known, before.mean, belief.mean[:, 0])
        means = torch.cat([start[:, None], belief.mean], 1)
        cause = torch.where(known, past_action[..., :2], 0.0)
        pushes = torch.cat([cause[:, None], action_packed[..., :2]], 1) @ self.D.T
        began = torch.where(known, before.velocity, 0.0)
        wish = (means[:, 1:] - means[:, :-1] + pushes
                - torch.cat([pushes[:, 1:], torch.zeros_like(pushes[:, :1])], 1)
                + torch.cat([began[:, None], torch.zeros_like(pushes[:, 1:])], 1))
        share = torch.where(known, self.with_past, self.without)
        velocity = (share @ wish.flatten(2)).view_as(wish)
        return Belief(belief.mean, velocity, belief.log_sd, belief.velocity_log_sd).pack(),
