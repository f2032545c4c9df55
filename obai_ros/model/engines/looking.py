# SPDX-License-Identifier: Apache-2.0
"""
`refiner.GlimpseTrunk` written out: what a slot's square shows closely, and the image roughly.

Inputs that all slots share are not copied for each of them: each takes of them what it looks at.
Images are in rows, [H, C, W]; the grids of cells and blocks have x along the outer axis, then y,
then channels, as in `decoding`.
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from obai_ros.model.engines.interpolation import between, neighbours
from obai_ros.model.glimpse import seen_at, weights
from obai_ros.model.refiner import IMAGE_INPUTS, ROUGH, GlimpseTrunk

OWN = slice(3, 13)
"""Inputs of a slot of its own, in the order of `inference.image_inputs`. All others are shared by
the slots of a frame: the image before them; the likelihood and the coordinates after them."""


class Looking(nn.Module):
    """
    Turns image-sized inputs into features; it holds copies of a trunk's weights.

    half: the dtype of the layers and of what they are given.
    """

    def __init__(self, trunk: GlimpseTrunk, xy: Tensor, half: torch.dtype):
        super().__init__()
        self.half, self.texels, self.image_size = half, trunk.texels, trunk.image_size

        def keep(name: str, value: Tensor) -> None:
            self.register_buffer(name, value.detach().to(half, copy=True), persistent=False)

        def transposed(value: Tensor) -> Tensor:
            """Return a kernel for grids whose outer axis is x, and for images after all else."""
            if value.shape[1] == IMAGE_INPUTS:
                value = value.roll(-OWN.start, 1)
            return value.mT.contiguous(memory_format=torch.channels_last)

        for name, layers in (('close', trunk.close), ('rough', trunk.rough)):
            for number, layer in enumerate(layers):
                keep(f'{name}_{number}_weight', transposed(layer.weight))
                keep(f'{name}_{number}_bias', layer.bias)
        close, side = trunk.close[-1].out_channels, self.texels // 8
        parts = trunk.linear.weight.tensor_split([close * side ** 2], 1)
        # Sorted by x, y, channel instead of channel, y, x.
        keep('features_weight', torch.cat([
            part.unflatten(1, (-1, size, size)).transpose(1, 3).flatten(1)
            for part, size in zip(parts, (side, ROUGH // 4))], 1))
        keep('features_bias', trunk.linear.bias)
        keep('pooling', trunk.pooling)
        keep('xy', xy.unflatten(-1, (self.image_size, -1)).transpose(0, 1))   # [H, 2, W]

    def forward(self, own: Tensor, likelihood: Tensor, images: Tensor, state: Tensor) -> Tensor:
        """
        Return features [S, hidden] of the slots of T images.

        own: [S, H, 10, W], the inputs OWN. likelihood: [T, H, 1, W]. images: [T, H, 3, W].
        state: [S, 3 or more], where squares are.
        """
        half, size, slots = self.half, self.image_size, len(own) // len(images)
        shared = torch.cat([likelihood.to(half), self.xy.expand(len(images), -1, -1, -1),
                            images.to(half)], 2)
        at = seen_at(state, self.texels, size)
        columns, rows = weights(at, size).to(half)
        near = neighbours(at[1], size)
        close = torch.cat([between(rows, own, near), between(rows, shared, near)], 2)
        rough = torch.cat([_pooled(own), _pooled(shared)[:, None].expand(
            -1, slots, -1, -1, -1).flatten(0, 1)], 2)
        close = self._convolve('close', columns, close, (4, 1, 2))
        rough = self._convolve('rough', self.pooling, rough, (2, 2))
        return F.elu(F.linear(torch.cat([close, rough], 1), self.features_weight,
                              self.features_bias))

    def _convolve(self, name: str, columns: Tensor, rows: Tensor, strides: tuple[int, ...]
                  ) -> Tensor:
        """Look along rows [S, E, 16, W] by columns [(S,) E, W], and return features [S, ...]."""
        x = (columns @ rows.flatten(1, 2).mT).unflatten(-1, rows.shape[1:3]).permute(0, 3, 1, 2)
        for number, stride in enumerate(strides):
            weight = getattr(self, f'{name}_{number}_weight')
            padding = 0 if weight.shape[-1] == stride else 1
            x = F.elu(F.conv2d(x, weight, getattr(self, f'{name}_{number}_bias'), stride, padding))
        return x.permute(0, 2, 3, 1).flatten(1)


def _pooled(rows: Tensor) -> Tensor:
    """Return [S, 16, C, W]: means over the rows of each block of [S, H, C, W]."""
    rows = rows.unflatten(1, (ROUGH, -1)).unbind(2)
    return sum(rows) / len(rows)
