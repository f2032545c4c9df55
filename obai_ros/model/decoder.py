# SPDX-License-Identifier: Apache-2.0
"""Decoders g and pi: from a slot's state to the colours and mask logits of all pixels."""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from obai_ros.model.config import ModelConfig
from obai_ros.model.glimpse import PLACE, drawing, spread
from obai_ros.model.pixels import coordinates


class BroadcastDecoder(nn.Module):
    """
    The paper's spatial broadcast decoder (Appendix B): five 5x5 convolutions at full size.

    The paper lists transposed convolutions; with stride 1 they are convolutions whose kernels
    are mirrored, so learning cannot tell them apart. The paper's takes lambda, mean and log-sd
    of a state, 32 channels; here as in the generative model (eq. 1) it takes a state, 16: a
    sample while beliefs are refined, their mean when they are looked at.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.grid_size = config.image_size
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


TEXEL_CELL = 4
"""Texels per side of a cell of the grid on which a glimpse is computed."""

ROUGH = 4
"""Points per side of the grid that draws what fills an image."""


class GlimpseDecoder(nn.Module):
    """
    Draws an object in the square that its state says, whatever its place and size.

    Colours and mask logits of the square's texels come from the rest of the state, and pixels
    interpolate between them: edges are where interpolated logits cross, to a fraction of a pixel.
    Outside, and added inside, are colours from a grid of a few points, enough for a background,
    and one mask logit for all of the image: where something is, only the square can say.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.channels, self.image_size, self.texels = (config.channels, config.image_size,
                                                       config.texels)
        self.grid_size = config.texels // TEXEL_CELL
        self.register_buffer('spread', spread(ROUGH, config.image_size), persistent=False)
        self.state = nn.Linear(config.latent_size - PLACE, config.hidden_size)
        self.grow = nn.Linear(config.hidden_size, config.channels * self.grid_size ** 2)
        self.layers = nn.ModuleList(
            nn.Conv2d(config.channels, config.channels, 3, padding=1) for _ in range(2))
        self.out = nn.Conv2d(config.channels, 4 * TEXEL_CELL ** 2, 3, padding=1)
        self.rough = nn.Linear(config.hidden_size, 3 * ROUGH ** 2 + 1)

    def forward(self, state: Tensor) -> Tensor:
        """Turn states [S, N] into [S, 4, M]: RGB before the sigmoid, and the mask logit."""
        rows, columns = drawing(state, self.texels, self.image_size)
        x = F.elu(self.state(state[:, PLACE:]))
        rough = self._everywhere(self.rough(x))
        x = F.elu(self.grow(x)).view(-1, self.channels, self.grid_size, self.grid_size)
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = F.elu(layer(x))
        texels = F.pixel_shuffle(self.out(x), TEXEL_CELL)                  # [S, 4, E, E]
        # Logits of edges have to be exact: the products stay in the precision of states.
        with torch.autocast(state.device.type, enabled=False):
            drawn = rows[:, None] @ texels.to(state.dtype) @ columns[:, None].mT
            output = drawn + self.spread @ rough.to(state.dtype) @ self.spread.mT
        return output.flatten(2)

    @staticmethod
    def _everywhere(rough: Tensor) -> Tensor:
        """Turn [S, 3 * 16 + 1] into [S, 4, 4, 4]: the mask logit is the same at all points."""
        colour, logit = rough.split([3 * ROUGH ** 2, 1], -1)
        return torch.cat([colour, logit.expand(-1, ROUGH ** 2)], -1).view(-1, 4, ROUGH, ROUGH)


def make_decoder(config: ModelConfig) -> nn.Module:
    """Return a new decoder of the kind that a model is configured with, its weights at random."""
    kinds = {'broadcast': BroadcastDecoder, 'glimpse': GlimpseDecoder}
    return kinds[config.decoder](config)
