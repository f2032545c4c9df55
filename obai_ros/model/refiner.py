# SPDX-License-Identifier: Apache-2.0
"""Refinement networks: from how wrong a belief is to how it should change (Appendix B)."""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from obai_ros.model.config import ModelConfig
from obai_ros.model.glimpse import looking
from obai_ros.model.pixels import as_image

IMAGE_INPUTS = 16
"""Image-sized inputs of a slot and frame; `inference` lists them."""


ROUGH = 16
"""Rows and columns of blocks of pixels in which a glimpse trunk sees the whole image."""


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

    def forward(self, pixels: Tensor, state: Tensor) -> Tensor:
        """Turn inputs [S, 16, M] into features [S, hidden], wherever states [S, N] are."""
        x = as_image(pixels)
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = F.elu(layer(x))
        return F.elu(self.linear(x.flatten(1)))


class GlimpseTrunk(nn.Module):
    """Looks closely at a slot's square (see `glimpse`), and roughly at the whole image."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        channels = config.channels
        self.image_size, self.texels = config.image_size, config.texels
        block = config.image_size // ROUGH
        pooling = torch.eye(ROUGH).repeat_interleave(block, 1) / block
        self.register_buffer('pooling', pooling, persistent=False)
        self.close = nn.ModuleList([
            nn.Conv2d(IMAGE_INPUTS, channels, 4, stride=4),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)])
        self.rough = nn.ModuleList([
            nn.Conv2d(IMAGE_INPUTS, channels, 3, stride=2, padding=1),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1)])
        self.linear = nn.Linear(2 * channels * (config.texels // 8) ** 2
                                + channels * (ROUGH // 4) ** 2, config.hidden_size)

    def _with_pooling(self, axis: Tensor) -> Tensor:
        """Append to what texels see along an axis [S, E, H] what means over blocks do."""
        return torch.cat([axis, self.pooling.to(axis.dtype).expand(len(axis), -1, -1)], 1)

    def forward(self, pixels: Tensor, state: Tensor) -> Tensor:
        """Turn inputs [S, 16, M] into features [S, hidden]; states [S, N] say where to look."""
        images = as_image(pixels)
        rows, columns = (self._with_pooling(axis).to(images.dtype) for axis in looking(
            state.detach(), self.texels, self.image_size))
        # Both ways of looking share the product along columns.
        across = (images.flatten(1, 2) @ columns.mT).view(*images.shape[:3], -1)
        close, rough = across.split([self.texels, self.pooling.shape[0]], -1)
        close = rows[:, None, :self.texels] @ close
        rough = rows[:, None, self.texels:] @ rough
        close = close.contiguous(memory_format=torch.channels_last)
        rough = rough.contiguous(memory_format=torch.channels_last)
        for layer in self.close:
            close = F.elu(layer(close))
        for layer in self.rough:
            rough = F.elu(layer(rough))
        return F.elu(self.linear(torch.cat([close.flatten(1), rough.flatten(1)], -1)))


class StateRefiner(nn.Module):
    """Refines lambda of one slot and frame; the same network for all of them."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        size = 4 * config.latent_size
        trunks = {'strided': StridedTrunk, 'glimpse': GlimpseTrunk}
        self.trunk = trunks[config.trunk](config)
        self.lstm = nn.LSTMCell(config.hidden_size + 2 * size, config.hidden_size)
        self.out = nn.Linear(config.hidden_size, size)

    def forward(self, images: Tensor, packed: Tensor, gradient: Tensor, hidden: Tensor,
                cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return the change of lambda, and the LSTM's new state.

        images: [S, 16, M]. packed, gradient: [S, 4N]. hidden, cell: [S, hidden].
        """
        features = self.trunk(images, packed).to(packed.dtype)
        with torch.autocast(packed.device.type, enabled=False):
            hidden, cell = self.lstm(torch.cat([features, packed, gradient], -1), (hidden, cell))
            return self.out(hidden), hidden, cell


class ActionRefiner(nn.Module):
    """Refines the action belief of one slot and frame (Appendix B.2)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.lstm = nn.LSTMCell(10, config.action_hidden_size)
        self.out = nn.Linear(config.action_hidden_size, 4)

    def forward(self, packed: Tensor, gradient: Tensor, received: Tensor, hidden: Tensor,
                cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return the change of (mean, log_sd) of q(a), and the LSTM's new state.

        packed, gradient: [S, 4]. received: [S, 2], the field summed under the masks, px/frame^2.
        """
        with torch.autocast(packed.device.type, enabled=False):
            hidden, cell = self.lstm(torch.cat([packed, gradient, received], -1), (hidden, cell))
            return self.out(hidden), hidden, cell
