# SPDX-License-Identifier: Apache-2.0
"""Decoders g and pi: from a slot's state to the colours and mask logits of all pixels."""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from obai_ros.model.config import ModelConfig
from obai_ros.model.pixels import coordinates


class BroadcastDecoder(nn.Module):
    """
    The paper's spatial broadcast decoder (Appendix B): five 5x5 convolutions at full size.

    The paper lists transposed convolutions; with stride 1 they are convolutions whose kernels
    are mirrored, so learning cannot tell them apart.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.register_buffer('grid', coordinates(config.image_size), persistent=False)
        sizes = [config.latent_size + 2] + 4 * [config.channels] + [4]
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 5, padding=2)
            for inputs, outputs in zip(sizes[:-1], sizes[1:]))

    def forward(self, state: Tensor) -> Tensor:
        """Turn states [S, N] into [S, 4, M]: RGB before the sigmoid, and the mask logit."""
        size = self.grid.shape[-1]
        x = torch.cat([state[:, :, None, None].expand(-1, -1, size, size),
                       self.grid.to(state.dtype).expand(len(state), -1, -1, -1)], 1)
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers[:-1]:
            x = F.elu(layer(x))
        return self.layers[-1](x).contiguous().view(len(state), 4, size * size)


class SubpixelDecoder(nn.Module):
    """
    A broadcast decoder on a coarse grid whose last layer draws the r x r px of each cell.

    About a twentieth of the broadcast decoder's operations, and edges stay sharp
    because every pixel has an output of its own (nothing is interpolated).
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        channels, r = config.channels, config.subpixel
        self.register_buffer('grid', coordinates(config.grid_size), persistent=False)
        self.state = nn.Linear(config.latent_size, channels)
        self.position = nn.Conv2d(2, channels, 1)
        self.mix = nn.Conv2d(channels, channels, 1)
        self.layers = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.out = nn.Conv2d(channels, 4 * r * r, 3, padding=1)

    def forward(self, state: Tensor) -> Tensor:
        """Turn states [S, N] into [S, 4, M]: RGB before the sigmoid, and the mask logit."""
        # Latent and coordinates enter one linear layer; computed apart, each is done once only.
        position = self.position(self.grid.to(state.dtype)[None])
        x = F.elu(self.state(state)[:, :, None, None] + position)
        x = F.elu(self.mix(x.contiguous(memory_format=torch.channels_last)))
        for layer in self.layers:
            x = F.elu(layer(x))
        return self.out(x).contiguous().view(len(state), 4, -1)


def make_decoder(config: ModelConfig) -> nn.Module:
    kinds = {'broadcast': BroadcastDecoder, 'subpixel': SubpixelDecoder}
    return kinds[config.decoder](config)
