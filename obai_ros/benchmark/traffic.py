# SPDX-License-Identifier: Apache-2.0
"""Numbers that one refinement has to move through memory: the floor beside that of operations."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.model.refiner import IMAGE_INPUTS
from obai_ros.model.schedule import Schedule

DECODED, IMAGE = 4, 3
"""Numbers per pixel that a slot is decoded to, and that an image has."""


@dataclass(frozen=True)
class Traffic:
    """
    Numbers read and written in one refinement if nothing is read twice by the same layer.

    activations: for each slot and frame: what goes into and out of every layer of decoder (there
    and back) and refinement network, and what is done pixel by pixel, in one pass over decoder
    output and image. weights: for all slots and frames together; the decoder's go there and back.
    """

    activations: int
    weights: int

    def per_frame(self, config: ModelConfig, schedule: Schedule, batch: int, itemsize: int) -> int:
        """Return the bytes for a frame of each of B endless videos, full window."""
        slots = batch * schedule.window * config.num_slots
        return itemsize * schedule.iterations * (slots * self.activations + self.weights)


def count_traffic(config: ModelConfig) -> Traffic:
    """Count by running each network once."""
    model = Obai(config)
    pixels = config.image_size ** 2
    moved = {'in': 0, 'out': 0}

    def note(module, inputs, output):
        moved['in'] += inputs[0].numel()
        moved['out'] += output.numel()

    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(note)
    with torch.no_grad():
        model.decode(torch.zeros(1, config.latent_size))
        # On the way back a layer reads the gradient of what it put out and what it had put out
        # (its nonlinearity), and writes the gradient of what it took in.
        decoder = 2 * moved['in'] + 3 * moved['out']
        moved.update({'in': 0, 'out': 0})
        packed, hidden = torch.zeros(1, 4 * config.latent_size), torch.zeros(1, config.hidden_size)
        model.refiner(torch.zeros(1, IMAGE_INPUTS, pixels), packed, packed, hidden, hidden)
        refiner = moved['in'] + moved['out']
    # Reads what was decoded and the image; writes the gradient and what refinement looks at.
    pixelwise = pixels * (DECODED + IMAGE + DECODED + IMAGE_INPUTS)
    weights = [sum(parameter.numel() for parameter in network.parameters())
               for network in (model.decoder, model.refiner)]
    return Traffic(decoder + refiner + pixelwise, 2 * weights[0] + weights[1])
