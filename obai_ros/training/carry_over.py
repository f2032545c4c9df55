# SPDX-License-Identifier: Apache-2.0
"""Let a model begin with the weights of one that differs from it in a few, known ways."""
from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.model.config import ModelConfig

SPREAD = 0.3
"""Standard deviation of what tells slots' initial beliefs apart when they had one in common."""


def carried_over(weights: dict[str, Tensor], old: ModelConfig, new: ModelConfig
                 ) -> dict[str, Tensor]:
    """
    Return weights of a model `new` that come as close as can be to `weights` of a model `old`.

    Image size (coarse to fine): what glimpses draw and see is relative to the image, so that
    weights are the same for all sizes; only D (eq. 5) is about pixels.
    Initial beliefs: one that was shared is given to each slot, with small differences.
    Raises ValueError when the two models differ in anything else.
    """
    alike = {'initial_belief', 'preset', 'beta', 'sigma_o', 'sigma_s', 'sigma_psi'}
    if old.decoder == 'glimpse':
        alike |= {'image_size'}
    differ = sorted(name for name, value in old.to_dict().items()
                    if name not in alike and value != new.to_dict()[name])
    if (old.initial_belief, new.initial_belief) == ('per_slot', 'shared'):
        differ += ['initial_belief']
    if differ:
        raise ValueError(
            f'weights cannot be carried over to a model with another {", ".join(differ)}: it may '
            f'have initial beliefs per slot, and, with glimpses, images of another size')
    weights = dict(weights)
    weights['dynamics.D'] = weights['dynamics.D'] * (old.image_size / new.image_size)
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
