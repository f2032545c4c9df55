# SPDX-License-Identifier: Apache-2.0
"""Whether prepared code, compiled or recorded, does what the written-out code does."""
from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from obai_ros.model.engine import PERCEPT, POINTS
from obai_ros.model.obai import Obai

AGREEMENT = 0.1
"""By how much lambda and the LSTM's state may differ between engines; rounding to bfloat16 makes
some .02."""


@torch.no_grad()
def agrees(code: Callable, written_out: Callable, inputs: tuple[Tensor, ...]) -> bool:
    """Tell whether code does what the written-out code does."""
    # What is compared are lambda and the LSTM's state, or all that shows where slots are.
    return all(bool(((mine - other).abs() < AGREEMENT).all())
               for mine, other in zip(written_out(*inputs)[:3], code(*inputs)[:3]))


def example(model: Obai, shape: tuple[int, int]) -> tuple[Tensor, ...]:
    """Return inputs of what is prepared for a shape, on the model's device: some noise."""
    batch, frames = shape[0], shape[1] or 1
    config = model.config
    slots, size = config.num_slots, config.latent_size
    generator = torch.Generator().manual_seed(0)

    def noise(*sizes: int) -> Tensor:
        return torch.randn(batch, frames, *sizes, generator=generator)

    inputs = (
        noise(slots, size)[:, 0], noise(3, config.image_size, config.image_size)[:, 0].sigmoid()
    ) if shape[1] == PERCEPT else (
        noise(config.image_size, 3, config.image_size).sigmoid(),
        model.initial.detach().expand(batch, frames, slots, 4 * size).clone(),
        noise(slots, config.hidden_size).tanh(), noise(slots, config.hidden_size),
        noise(slots, size), torch.tensor(False),
        torch.zeros(batch, slots, 4 * size), torch.zeros(batch, slots, 4),
        torch.zeros(batch, frames - 1, POINTS, dtype=torch.long),
        torch.zeros(batch, frames - 1, POINTS, 2))
    return tuple(value.to(model.device) for value in inputs)
