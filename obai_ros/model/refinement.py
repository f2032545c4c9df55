# SPDX-License-Identifier: Apache-2.0
"""One refinement (section 2.3): what is wrong with beliefs, and how the refiner changes them."""
from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from obai_ros.model.belief import bounded
from obai_ros.model.free_energy import Evaluation, evaluate
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.refiner import IMAGE_INPUTS
from obai_ros.model.window import Window


def refine(model: Obai, window: Window, evaluation: Evaluation) -> Window:
    """
    Return the window with lambda + refinement(what is wrong with lambda).

    All frames and slots of the window are refined at once, by the same network.
    """
    config = model.config
    lead = evaluation.packed.shape[:3]  # B, F, K
    packed = evaluation.packed.flatten(0, 2)
    with model.half():
        change, hidden, cell = model.refiner(
            image_inputs(model, window, evaluation).flatten(0, 2), packed,
            normalised(evaluation.gradient, 1).flatten(0, 2), window.hidden.flatten(0, 2),
            window.cell.flatten(0, 2))
    window = replace(
        window, packed=bounded(packed + change).view(*lead, -1),
        hidden=hidden.view(*lead, -1), cell=cell.view(*lead, -1),
        action_packed=evaluation.action_packed, mask=evaluation.mixture.mask[:, -1, :, 0])
    if config.action_inference == 'network' and window.frames > 1:
        window = _refine_actions(model, window, evaluation)
    return window


def _refine_actions(model: Obai, window: Window, evaluation: Evaluation) -> Window:
    lead = window.action_packed.shape[:3]
    packed = evaluation.action_packed.flatten(0, 2)
    change, hidden, cell = model.action_refiner(
        packed, normalised(evaluation.action_gradient, 1).flatten(0, 2),
        evaluation.received.flatten(0, 2), window.action_hidden.flatten(0, 2),
        window.action_cell.flatten(0, 2))
    return replace(window, action_packed=bounded(packed + change).view(*lead, -1),
                   action_hidden=hidden.view(*lead, -1), action_cell=cell.view(*lead, -1))


def normalised(gradient: Tensor, dims: int) -> Tensor:
    """Layer-normalise the last `dims` dimensions, without gain or bias, cut from the graph."""
    return F.layer_norm(gradient.detach(), gradient.shape[-dims:])


@torch.no_grad()
def image_inputs(model: Obai, window: Window, evaluation: Evaluation) -> Tensor:
    """
    Return [B, F, K, 16, M]: the image-sized inputs of refinement, in this order.

    image 3, slot colour 3, mask 1, log mask 1, dL/d colour 3, dL/d mask logit 1, posterior mask
    1, pixel log-likelihood 1, coordinates 2. Gradients and likelihood are layer-normalised.
    """
    seen = evaluation.mixture
    batch, frames, slots, _, pixels = seen.mask.shape
    beta = model.config.beta
    dtype = torch.bfloat16 if model.precision == 'bfloat16' else model.dtype
    inputs = torch.empty(batch, frames, slots, IMAGE_INPUTS, pixels, dtype=dtype,
                         device=seen.mask.device)
    inputs[..., 0:3, :] = window.images[:, :, None]
    inputs[..., 3:6, :] = seen.colour
    inputs[..., 6:7, :] = seen.mask
    # Log masks reach -30 and beyond; scaled so that they are of the size of the other inputs.
    inputs[..., 7:8, :] = seen.log_mask.clamp(min=-20.0) / 5.0
    inputs[..., 8:11, :] = normalised(beta * seen.colour_gradient, 2)
    inputs[..., 11:12, :] = normalised(beta * seen.logit_gradient, 2)
    inputs[..., 12:13, :] = seen.responsibility
    inputs[..., 13:14, :] = normalised(seen.log_likelihood, 2)
    inputs[..., 14:16, :] = model.xy
    return inputs


@torch.no_grad()
def refine_repeatedly(model: Obai, window: Window, iterations: int, noise: Noise
                      ) -> tuple[Window, Tensor]:
    """Return the window after some refinements, and the newest frame's free energy by slot
    [B, K] before the last of them, nats."""
    for _ in range(iterations):
        evaluation = evaluate(model, window, noise)
        window = refine(model, window, evaluation)
    return window, evaluation.free_energy.of_slots[:, -1]
