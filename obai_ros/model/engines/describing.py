# SPDX-License-Identifier: Apache-2.0
"""`percept.describe` written out, as a compiler can take it whole: what slots look like.

Images are in rows on the way, [H, C, W], as in `decoding`.
"""
from __future__ import annotations

import torch
from torch import Tensor, nn

from obai_ros.model.engines.decoding import Decoding
from obai_ros.model.percept import describe_planes


class Describing(nn.Module):
    """Says how slots look, and which of them shows what of an image."""

    def __init__(self, decoding: Decoding, sigma_o: float):
        super().__init__()
        self.decoding, self.sigma_o = decoding, sigma_o

    def forward(self, mean: Tensor, image: Tensor) -> tuple[Tensor, ...]:
        """Return `percept.Description`'s fields; mean [B, K, N], image [B, 3, H, W] in [0, 1]."""
        output, _ = self.decoding(mean.flatten(0, 1))
        *colour, logit = output.unflatten(0, mean.shape[:2]).unbind(-2)    # [B, K, H, W] each
        colour = [channel.sigmoid() for channel in colour]
        error = sum((seen.unsqueeze(1) - drawn).square()
                    for seen, drawn in zip(image.unbind(1), colour))
        joint = logit - 0.5 / self.sigma_o ** 2 * error
        # A plain tuple: torch.export knows no classes of ours.
        described = describe_planes(torch.stack(colour, 2), logit.softmax(1), joint.softmax(1),
                                    image)
        return tuple(vars(described).values())
