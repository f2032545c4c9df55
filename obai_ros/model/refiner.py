# SPDX-License-Identifier: Apache-2.0
"""Refinement networks: from how wrong a belief is to how it should change (Appendix B)."""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from obai_ros.model.config import ModelConfig

IMAGE_INPUTS = 16
"""Image-sized inputs of a slot and frame; `inference` lists them."""


class StridedTrunk(nn.Module):
    """The paper's: three 5x5 convolutions, stride 2, no padding (64 -> 30 -> 13 -> 5)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        size = config.image_size
        self.layers = nn.ModuleList()
        for inputs in (IMAGE_INPUTS, 32, 32):
            self.layers.append(nn.Conv2d(inputs, 32, 5, stride=2))
            size = (size - 5) // 2 + 1
        if size < 1:
            raise ValueError(f'image_size {config.image_size} is too small for the strided trunk '
                             f'of the refinement network: expected at least 29')
        self.image_size = config.image_size
        self.linear = nn.Linear(32 * size * size, config.hidden_size)

    def forward(self, planar: Tensor) -> Tensor:
        """Turn inputs [S, 16, M] into features [S, hidden]."""
        x = planar.view(len(planar), IMAGE_INPUTS, self.image_size, self.image_size)
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = F.elu(layer(x))
        return F.elu(self.linear(x.flatten(1)))


class PatchTrunk(nn.Module):
    """A convolution over r x r patches, then two 3x3 convolutions of stride 2."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        r = config.subpixel
        self.inputs, self.grid_size = IMAGE_INPUTS * r * r, config.grid_size
        # In planar order a patch is a column of channels: the patch convolution is 1x1.
        self.patch = nn.Conv2d(self.inputs, config.channels, 1)
        self.layers = nn.ModuleList([
            nn.Conv2d(config.channels, config.channels, 3, stride=2, padding=1),
            nn.Conv2d(config.channels, 2 * config.channels, 3, stride=2, padding=1)])
        features = 2 * config.channels * (config.grid_size // 4) ** 2
        self.linear = nn.Linear(features, config.hidden_size)

    def forward(self, planar: Tensor) -> Tensor:
        """Turn inputs [S, 16, M] into features [S, hidden]."""
        x = F.elu(self.patch(
            planar.view(len(planar), self.inputs, self.grid_size, self.grid_size)))
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = F.elu(layer(x))
        return F.elu(self.linear(x.flatten(1)))


class StateRefiner(nn.Module):
    """Refines lambda of one slot and frame; the same network for all of them."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        size = 4 * config.latent_size
        trunks = {'strided': StridedTrunk, 'patch': PatchTrunk}
        self.trunk = trunks[config.trunk](config)
        self.lstm = nn.LSTMCell(config.hidden_size + 2 * size, config.hidden_size)
        self.out = nn.Linear(config.hidden_size, size)

    def forward(self, images: Tensor, packed: Tensor, gradient: Tensor, hidden: Tensor,
                cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return the change of lambda, and the LSTM's new state.

        images: [S, 16, M], planar. packed, gradient: [S, 4N]. hidden, cell: [S, hidden].
        """
        features = self.trunk(images).to(packed.dtype)
        with torch.autocast(packed.device.type, enabled=False):
            hidden, cell = self.lstm(torch.cat([features, packed, gradient], -1), (hidden, cell))
            return self.out(hidden), hidden, cell


class ActionRefiner(nn.Module):
    """Refines the action belief of one slot and frame (Appendix B.2)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.lstm = nn.LSTMCell(10, config.action_hidden_size)
        self.out = nn.Linear(config.action_hidden_size, 4)

    def forward(self, packed: Tensor, gradient: Tensor, expected: Tensor, hidden: Tensor,
                cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return the change of (mean, log_sd) of q(a), and the LSTM's new state.

        packed, gradient: [S, 4]. expected: [S, 2], the expected object action, px/frame^2.
        """
        with torch.autocast(packed.device.type, enabled=False):
            hidden, cell = self.lstm(torch.cat([packed, gradient, expected], -1), (hidden, cell))
            return self.out(hidden), hidden, cell
