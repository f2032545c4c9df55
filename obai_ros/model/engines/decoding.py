# SPDX-License-Identifier: Apache-2.0
"""
`decoder.GlimpseDecoder` written out, there and back, without autograd.

Grids of cells are kept with x along the outer axis, then y, then channels, and images in rows,
[H, C, W]: so each product leaves its result in the order in which the next step reads it, and no
image has to be reordered. Weights are reordered once instead, in the beginning.
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from obai_ros.model.decoder import ROUGH, TEXEL_CELL, GlimpseDecoder
from obai_ros.model.engines.interpolation import (between, distances, neighbours,
                                                  place_gradient, slope)
from obai_ros.model.glimpse import PLACE, drawn_at, hat

Trace = tuple[Tensor, ...]
"""What the way back needs of the way there."""


class Decoding(nn.Module):
    """
    Draws states, and turns gradients of what was drawn into gradients of states.

    It holds copies of a decoder's weights. half: the dtype of the layers, and of the products on
    the way back; logits of edges have to be exact, so drawing is done in the dtype of states.
    """

    def __init__(self, decoder: GlimpseDecoder, half: torch.dtype):
        super().__init__()
        self.half, self.texels, self.image_size = half, decoder.texels, decoder.image_size
        self.cells = decoder.grid_size

        def keep(name: str, value: Tensor, dtype: torch.dtype = half) -> None:
            self.register_buffer(name, value.detach().to(dtype, copy=True), persistent=False)

        def transposed(value: Tensor) -> Tensor:
            """Return a kernel for grids whose outer axis is x."""
            return value.mT.contiguous(memory_format=torch.channels_last)

        def drawn(value: Tensor) -> Tensor:
            """Sort what belongs to (colour, y, x) in a cell by x, y, colour."""
            return value.unflatten(0, (4, TEXEL_CELL, TEXEL_CELL)).transpose(0, 2).flatten(0, 2)

        def everywhere(layer: nn.Linear) -> list[Tensor]:
            """Repeat what says the one mask logit for all points of the rough grid."""
            return [torch.cat([value, value[-1:].expand(ROUGH ** 2 - 1, *value.shape[1:])])
                    for value in (layer.weight, layer.bias)]

        def sorted_(weight: Tensor, bias: Tensor, size: int) -> list[Tensor]:
            """Sort what belongs to (channel, y, x) of a grid by x, y, channel."""
            return [value.unflatten(0, (-1, size, size)).transpose(0, 2).flatten(0, 2)
                    for value in (weight, bias)]

        # Places and sizes are no business of the layers: their weights are zero.
        keep('state_weight', F.pad(decoder.state.weight, (PLACE, 0)))
        keep('state_bias', decoder.state.bias)
        # One product for both that follow.
        weight, bias = (torch.cat(pair) for pair in zip(
            sorted_(*everywhere(decoder.rough), ROUGH),
            sorted_(decoder.grow.weight, decoder.grow.bias, self.cells)))
        keep('grow_weight', weight)
        keep('grow_bias', bias)
        for name, layer in zip(('first', 'second'), decoder.layers):
            keep(f'{name}_weight', transposed(layer.weight))
            keep(f'{name}_bias', layer.bias)
        keep('out_weight', transposed(drawn(decoder.out.weight)))
        keep('out_bias', drawn(decoder.out.bias))
        keep('spread', decoder.spread, decoder.spread.dtype)
        at = torch.linspace(0.0, ROUGH - 1.0, self.image_size, device=decoder.spread.device)
        keep('spread_rows', self.texels + neighbours(at, ROUGH), torch.int64)

    def forward(self, state: Tensor) -> tuple[Tensor, Trace]:
        """Turn states [S, N] into [S, H, 4, W]: RGB before the sigmoid, and the mask logit."""
        at = drawn_at(state, self.texels, self.image_size)
        start = F.elu(F.linear(state.to(self.half), self.state_weight, self.state_bias))
        rough, x = F.linear(start, self.grow_weight, self.grow_bias).tensor_split(
            [4 * ROUGH ** 2], 1)
        x = F.elu(x).unflatten(1, (self.cells, self.cells, -1)).permute(0, 3, 1, 2)
        layers = [x]
        for weight, bias in ((self.first_weight, self.first_bias),
                             (self.second_weight, self.second_bias)):
            layers.append(F.elu(F.conv2d(layers[-1], weight, bias, padding=1)))
        x = F.conv2d(layers[-1], self.out_weight, self.out_bias, padding=1)
        # From cells, [x, y, (x, y, colour)], to columns of texels, [x, (y, colour)]. The rough
        # grid goes with them, as columns after and rows below: [E + 4, (E + 4) * 4].
        x = x.permute(0, 2, 3, 1).unflatten(-1, (TEXEL_CELL, -1)).transpose(2, 3)
        x = x.flatten(3).flatten(1, 2)
        rough = rough.unflatten(1, (ROUGH, -1))
        texels = torch.cat([
            torch.cat([x, x.new_zeros(*x.shape[:2], rough.shape[2])], 2),
            torch.cat([rough.new_zeros(*rough.shape[:2], x.shape[2]), rough], 2)], 1)
        columns = self._with_spread(hat(distances(at[0], self.texels)))
        across = texels.mT.to(state.dtype) @ columns                      # [S, (E + 4) * 4, W]
        across = across.unflatten(1, (-1, 4))
        rows = self._with_spread(hat(distances(at[1], self.texels))).mT
        near = torch.cat([neighbours(at[1], self.texels),
                          self.spread_rows.expand(len(state), -1, -1)], -1)
        return between(rows, across, near), (state, at, start, *layers, texels, across)

    def pull_back(self, down: Tensor, trace: Trace) -> Tensor:
        """Turn gradients [S, H, 4, W] of what was drawn into those of the states, [S, N]."""
        state, at, start, *layers, texels, across = trace
        distance, down = distances(at, self.texels), down.to(self.half).flatten(2)
        columns, rows = (self._with_spread(weight).to(self.half) for weight in hat(distance))
        gathered = (rows @ down).unflatten(-1, (4, -1)).flatten(1, 2)     # [S, (E + 4) * 4, W]
        pull = torch.stack([
            (texels @ gathered)[:, :self.texels],
            across[:, :self.texels].to(self.half).flatten(2) @ down.mT]) * slope(distance)
        place = place_gradient(pull.sum(-2), at, state, self.texels, self.image_size)

        x = columns @ gathered.mT                                         # as texels
        rough, x = x[:, self.texels:, -4 * ROUGH:], x[:, :self.texels, :-4 * ROUGH]
        x = x.unflatten(2, (self.cells, -1)).unflatten(1, (self.cells, -1)).transpose(2, 3)
        x = x.flatten(3).permute(0, 3, 1, 2)                              # as cells
        x = F.conv_transpose2d(x, self.out_weight, padding=1) * _elu_slope(layers[2])
        x = F.conv_transpose2d(x, self.second_weight, padding=1) * _elu_slope(layers[1])
        x = F.conv_transpose2d(x, self.first_weight, padding=1) * _elu_slope(layers[0])
        x = torch.cat([rough.flatten(1), x.permute(0, 2, 3, 1).flatten(1)], 1)
        x = (x @ self.grow_weight) * _elu_slope(start)
        return (x @ self.state_weight).to(state.dtype) + F.pad(
            place, (0, state.shape[1] - PLACE))

    def _with_spread(self, weight: Tensor) -> Tensor:
        """Append to weights [S, E, H] of texels those of the rough grid's points."""
        return torch.cat([weight, self.spread.T.expand(len(weight), -1, -1)], 1)


def _elu_slope(after: Tensor) -> Tensor:
    """Return the derivative of ELU where it has the value `after`."""
    return after.clamp(max=0.0) + 1.0
