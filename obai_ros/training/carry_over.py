# SPDX-License-Identifier: Apache-2.0
"""Let a model begin with the weights of one that differs from it in a few, known ways."""
from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.model.config import ModelConfig
from obai_ros.model.refiner import IMAGE_INPUTS

SPREAD = 0.3
"""Standard deviation of what tells slots' initial beliefs apart when they had one in common."""


def carried_over(weights: dict[str, Tensor], old: ModelConfig, new: ModelConfig
                 ) -> dict[str, Tensor]:
    """
    Return weights of a model `new` that come as close as can be to `weights` of a model `old`.

    Image size (coarse to fine): the grid of cells stays, each cell covers more pixels. The
    decoder's last layer repeats its pixels (nearest neighbour), the refinement's patch convolution
    averages over them; the rest is untouched, and so is what the model computes.
    Initial beliefs: one that was shared is given to each slot, with small differences.
    Raises ValueError when the two models differ in anything else.
    """
    alike = {'image_size', 'subpixel', 'initial_belief', 'preset', 'beta', 'sigma_o', 'sigma_s',
             'sigma_psi'}
    differ = sorted(name for name, value in old.to_dict().items()
                    if name not in alike and value != new.to_dict()[name])
    ratio, rest = divmod(new.subpixel, old.subpixel)
    if rest or old.grid_size != new.grid_size:
        differ += ['image_size', 'subpixel']
    if (old.initial_belief, new.initial_belief) == ('per_slot', 'shared'):
        differ += ['initial_belief']
    if differ:
        raise ValueError(
            f'weights cannot be carried over to a model with another {", ".join(differ)}: it may '
            f'have cells of a multiple of the old ones\' size and initial beliefs per slot')
    weights = dict(weights)
    if ratio > 1:
        for name in ('decoder.out.weight', 'decoder.out.bias'):
            weights[name] = _repeat_pixels(weights[name], 0, 4, old.subpixel, ratio)
        name = 'refiner.trunk.patch.weight'
        weights[name] = _repeat_pixels(weights[name], 1, IMAGE_INPUTS, old.subpixel,
                                       ratio) / ratio ** 2
    if old.initial_belief != new.initial_belief:
        weights['initial'] = _told_apart(weights['initial'], new)
    return weights


def _told_apart(initial: Tensor, config: ModelConfig) -> Tensor:
    """Turn lambda_0 [1, 4N] into [K, 4N] whose means of s differ a little."""
    apart = initial.repeat(config.num_slots, 1)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(config.num_slots, config.latent_size, generator=generator)
    apart[:, :config.latent_size] += SPREAD * noise.to(apart)
    return apart


def _repeat_pixels(weight: Tensor, dim: int, channels: int, r: int, ratio: int) -> Tensor:
    """Repeat the pixels of dimension `dim`, laid out as (channels, r, r), along both axes."""
    before, after = weight.shape[:dim], weight.shape[dim + 1:]
    pixels = weight.reshape(*before, channels, r, r, *after)
    pixels = pixels.repeat_interleave(ratio, dim + 1).repeat_interleave(ratio, dim + 2)
    return pixels.reshape(*before, channels * (r * ratio) ** 2, *after)
