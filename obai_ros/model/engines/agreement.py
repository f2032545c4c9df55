# SPDX-License-Identifier: Apache-2.0
"""Whether prepared code, compiled or recorded, does what the written-out code does."""
from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from obai_ros.model.engines.part import POINTS, Part
from obai_ros.model.obai import Obai

AGREEMENT = 0.1
"""By how much lambda and the LSTM's state may differ between engines; rounding to bfloat16 makes
some .02."""


@torch.no_grad()
def agrees(code: Callable, written_out: Callable, model: Obai, part: Part) -> bool:
    """
    Tell whether code does what the written-out code does for a part.

    Also for other inputs than `example` returns first, which it was made with: what a recording
    took for the same each time would go unnoticed.
    """
    # What is compared are lambda and the LSTM's state, or all that shows where slots are.
    return all(bool(((mine - other).abs() < AGREEMENT).all())
               for inputs in (example(model, part), example(model, part, other=True))
               for mine, other in zip(written_out(*inputs)[:3], code(*inputs)[:3]))


def example(model: Obai, part: Part, other: bool = False) -> tuple[Tensor, ...]:
    """
    Return inputs of what is prepared for a part, on the model's device: some noise.

    other: of a frame that is not the first, with an action; without a past and without anything
    done otherwise.
    """
    batch, frames, config = part.batch, part.frames, model.config
    slots, size, side = config.num_slots, config.latent_size, config.image_size
    generator = torch.Generator().manual_seed(int(other))

    def noise(*sizes: int) -> Tensor:
        return torch.randn(batch, *sizes, generator=generator)

    def beliefs(*lead: int) -> Tensor:
        begun = model.initial.detach().cpu().expand(batch, *lead, slots, 4 * size).clone()
        return begun + 0.1 * noise(*lead, slots, 4 * size) if other else begun

    def field(*lead: int) -> tuple[Tensor, Tensor]:
        row = torch.zeros(batch, *lead, POINTS, dtype=torch.long)
        pushes = torch.zeros(*row.shape, 2)
        if other:
            row.random_(side ** 2, generator=generator)
            pushes.normal_(generator=generator)
        return row, pushes

    yes = torch.tensor(other)
    past = (yes, beliefs(), 0.1 * noise(slots, 4)) if other else (
        yes, torch.zeros(batch, slots, 4 * size), torch.zeros(batch, slots, 4))
    inputs = {
        'expect': lambda: (beliefs(), noise(slots, side ** 2).softmax(1), *field(), yes),
        'describe': lambda: (noise(slots, size), noise(3, side, side).sigmoid()),
        'refine': lambda: (
            noise(frames, side, 3, side).sigmoid(), beliefs(frames),
            noise(frames, slots, config.hidden_size).tanh(),
            noise(frames, slots, config.hidden_size), noise(frames, slots, size), *past,
            *field(frames - 1)),
        'move': lambda: (beliefs(frames), noise(frames - 1, slots, 4), *past)}
    return tuple(value.to(model.device) for value in inputs[part.does]())
