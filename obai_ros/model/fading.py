# SPDX-License-Identifier: Apache-2.0
"""
Fading: over long streams, what nothing vouches for is forgotten.

Beyond the paper, whose videos end before it matters. In its dynamics (eq. 5-6) a state is a random
walk once the first frame, and with it the prior N(0, I), has left the window. A refiner that is
never exactly right then leads beliefs about a standing scene away, by little from frame to frame,
but for ever: first those that no pixel depends on, such as where the background is, and in the end
all others. A walk that is drawn to the prior is stationary (Ornstein and Uhlenbeck), and as slow
as here what the image tells is back within a frame.
"""
from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from obai_ros.model.belief import Belief
from obai_ros.model.obai import Obai

LOOKS = 0.99
"""What is left, from frame to frame, of the part of a state that no acceleration changes."""

BACKGROUND = 0.97
"""What is left of all of the background's state, which nothing moves."""


class Fading:
    """Draws beliefs about the next frame towards the prior, for one model as it is now."""

    def __init__(self, model: Obai):
        place = model.dynamics.place_projection()
        identity = torch.eye(len(place), dtype=place.dtype, device=place.device)
        self._kept = place + LOOKS * (identity - place)

    def __call__(self, belief: Belief, background: Tensor) -> Belief:
        """
        Return the belief [B, K, N] with means nearer to those of the prior; spreads stay.

        background: [B] int64, the slot that has it. It is at rest.
        """
        slot = torch.arange(belief.mean.shape[1], device=background.device)
        behind = (slot == background[:, None])[..., None]
        return replace(
            belief,
            mean=torch.where(behind, BACKGROUND * belief.mean, belief.mean @ self._kept),
            velocity=belief.velocity.masked_fill(behind, 0.0))
