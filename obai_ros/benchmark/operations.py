# SPDX-License-Identifier: Apache-2.0
"""Floating-point operations of one refinement of one slot in one frame."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.model.refiner import IMAGE_INPUTS
from obai_ros.model.schedule import Schedule


@dataclass(frozen=True)
class Operations:
    """
    Operations (a multiplication and an addition count as two) for one slot and frame.

    decode: the decoder once. gradient: its vector-Jacobian product with respect to the state.
    refine: the refinement network once. Convolutions and matrix products only: what is done
    pixel by pixel is bound by memory, not by arithmetic.
    """

    decode: int
    gradient: int
    refine: int

    @property
    def iteration(self) -> int:
        """Return the operations of one refinement of a slot's belief about a frame."""
        return self.decode + self.gradient + self.refine

    def per_frame(self, config: ModelConfig, schedule: Schedule) -> int:
        """Return the operations a filter spends on a frame of endless video, full window."""
        return schedule.iterations * schedule.window * config.num_slots * self.iteration


def count_operations(config: ModelConfig) -> Operations:
    """Count by running each part once on random numbers."""
    model = Obai(config)
    pixels = config.image_size ** 2
    state = torch.zeros(1, config.latent_size, requires_grad=True)

    def counted(function):
        with FlopCounterMode(display=False) as counter:
            result = function()
        return counter.get_total_flops(), result

    decode, output = counted(lambda: model.decode(state))
    gradient, _ = counted(lambda: torch.autograd.grad(output, state, torch.ones_like(output)))
    packed, hidden = torch.zeros(1, 4 * config.latent_size), torch.zeros(1, config.hidden_size)
    images = torch.zeros(1, IMAGE_INPUTS, pixels)
    with torch.no_grad():
        refine, _ = counted(lambda: model.refiner(images, packed, packed, hidden, hidden))
    # The counter does not see inside the fused LSTM cell: two matrix products.
    inputs = model.refiner.lstm.input_size + config.hidden_size
    refine = max(refine, 0) + (0 if _sees_lstm() else 2 * 4 * config.hidden_size * inputs)
    return Operations(decode, gradient, refine)


def _sees_lstm() -> bool:
    """Return whether the counter counts an LSTM cell."""
    cell = torch.nn.LSTMCell(2, 2)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        cell(torch.zeros(1, 2))
    return counter.get_total_flops() > 0


def format_operations(names: list[str]) -> str:
    """Return a table of presets, as text."""
    lines = [f"{'million operations':20}{'decode':>9}{'gradient':>10}{'refine':>8}"
             f"{'slot and iteration':>20}{'ratio to paper':>16}"]
    paper = count_operations(ModelConfig.named('paper')).iteration
    for name in names:
        found = count_operations(ModelConfig.named(name))
        lines.append(f'{name:20}{found.decode / 1e6:>9.1f}{found.gradient / 1e6:>10.1f}'
                     f'{found.refine / 1e6:>8.1f}{found.iteration / 1e6:>20.1f}'
                     f'{paper / found.iteration:>15.1f}x')
    return '\n'.join(lines)
