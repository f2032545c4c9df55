# SPDX-License-Identifier: Apache-2.0
"""Coarse to fine: carry the weights of a subpixel model over to larger images."""
from __future__ import annotations

from torch import Tensor

from obai_ros.model.config import ModelConfig
from obai_ros.model.refiner import IMAGE_INPUTS


def enlarged(weights: dict[str, Tensor], old: ModelConfig, new: ModelConfig
             ) -> dict[str, Tensor]:
    """
    Return weights for `new` that do on larger images what `weights` do for `old`.

    The grid of cells stays; each cell covers more pixels. The decoder's last layer repeats its
    pixels (nearest neighbour), the refinement's patch convolution averages over them; everything
    else is untouched. Raises ValueError when the two models differ in anything else.
    """
    if old == new:
        return dict(weights)
    ratio, rest = divmod(new.subpixel, old.subpixel)
    same = {**old.to_dict(), 'image_size': new.image_size, 'subpixel': new.subpixel}
    if rest or same != new.to_dict() or old.grid_size != new.grid_size:
        raise ValueError(f'weights of a model for {old.image_size} px (cells of {old.subpixel} '
                         f'px) cannot be carried over to one for {new.image_size} px (cells of '
                         f'{new.subpixel} px): the models may differ in a whole multiple of the '
                         f'cell size only')
    weights = dict(weights)
    for name in ('decoder.out.weight', 'decoder.out.bias'):
        weights[name] = _repeat_pixels(weights[name], 0, 4, old.subpixel, ratio)
    name = 'refiner.trunk.patch.weight'
    weights[name] = _repeat_pixels(weights[name], 1, IMAGE_INPUTS, old.subpixel,
                                   ratio) / ratio ** 2
    return weights


def _repeat_pixels(weight: Tensor, dim: int, channels: int, r: int, ratio: int) -> Tensor:
    """Repeat the pixels of dimension `dim`, laid out as (channels, r, r), along both axes."""
    before, after = weight.shape[:dim], weight.shape[dim + 1:]
    pixels = weight.reshape(*before, channels, r, r, *after)
    pixels = pixels.repeat_interleave(ratio, dim + 1).repeat_interleave(ratio, dim + 2)
    return pixels.reshape(*before, channels * (r * ratio) ** 2, *after)
