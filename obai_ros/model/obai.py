# SPDX-License-Identifier: Apache-2.0
"""The networks and parameters that are learned, under one roof."""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from obai_ros.model.belief import Belief
from obai_ros.model.config import ModelConfig
from obai_ros.model.decoder import make_decoder
from obai_ros.model.dynamics import Dynamics
from obai_ros.model.pixels import coordinates, in_a_row
from obai_ros.model.refiner import ActionRefiner, StateRefiner


class Obai(nn.Module):
    """
    Decoder, refiner, dynamics and the belief inference begins with (lambda_0).

    It holds no state of inference: `inference` and `filter` pass that in and out.

    precision: 'float32', or 'bfloat16' for the convolutions only; likelihoods, beliefs and free
    energies stay in float32.
    """

    def __init__(self, config: ModelConfig, precision: str = 'float32'):
        super().__init__()
        if precision not in ('float32', 'bfloat16'):
            raise ValueError(f"precision is {precision!r}: expected 'float32' or 'bfloat16'")
        self.config = config
        self.precision = precision
        self.decoder = make_decoder(config)
        self.refiner = StateRefiner(config)
        self.dynamics = Dynamics(config)
        if config.action_inference == 'network':
            self.action_refiner = ActionRefiner(config)
        size = config.latent_size
        beliefs = config.num_slots if config.initial_belief == 'per_slot' else 1
        self.initial = nn.Parameter(torch.cat([
            0.5 * torch.randn(beliefs, size), torch.zeros(beliefs, size),
            torch.full((beliefs, 2 * size), -1.0)], -1))
        """lambda_0: [1, 4N] if all slots share it, or [K, 4N]."""
        self.register_buffer('proposal', torch.zeros(7, 4 * size))
        """Table of proposals, see `proposal`; zeros before it has been fitted."""
        self.register_buffer('xy', in_a_row(coordinates(config.image_size)), persistent=False)

    @property
    def device(self) -> torch.device:
        return self.initial.device

    @property
    def dtype(self) -> torch.dtype:
        return self.initial.dtype

    def half(self, enabled: bool = True):
        """Return the context in which convolutions run at the chosen precision."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16,
                              enabled=enabled and self.precision == 'bfloat16')

    def decode(self, state: Tensor) -> Tensor:
        """Turn states [..., N] into [..., 4, M]: RGB before the sigmoid, mask logit."""
        with self.half():
            output = self.decoder(state.reshape(-1, state.shape[-1]))
        return output.to(self.dtype).view(*state.shape[:-1], *output.shape[1:])

    def initial_belief(self, batch: int) -> Belief:
        """Return lambda_0 of every slot: fields [B, K, N]."""
        return Belief.unpack(self.initial.expand(batch, self.config.num_slots, -1))

    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def check_images(self, images: Tensor) -> None:
        """Raise ValueError, in a sentence, unless images are [B, 3, H, W] in [0, 1]."""
        size = self.config.image_size
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, size, size):
            raise ValueError(f'images have shape {tuple(images.shape)}: this model expects '
                             f'[B, 3, {size}, {size}]; resize them first')
        if len(images) == 0:
            raise ValueError('there are no images: expected a batch of at least 1')
        low, high = (float(value) for value in images.aminmax())
        if not (math.isfinite(low) and math.isfinite(high)) or low < 0.0 or high > 1.0:
            raise ValueError(f'images have values from {low:g} to {high:g}: expected [0, 1]; '
                             f'divide 8-bit images by 255')
