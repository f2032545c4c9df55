# SPDX-License-Identifier: Apache-2.0
"""
Descent: beliefs follow the gradient of the free energy itself to where it is lowest.

Beyond the paper. What networks infer in a few refinements falls short of the best that the decoder
could be told (the amortisation gap: C. Cremer and others, 2018, arXiv:1801.03558). Gradient steps
from where refinement leaves off close it (semi-amortised inference: Y. Kim and others, 2018,
arXiv:1802.02550). They cost a decoding and a vector-Jacobian product each, and need no learning.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from obai_ros.model.belief import bounded
from obai_ros.model.free_energy import evaluate
from obai_ros.model.noise import Silence
from obai_ros.model.obai import Obai
from obai_ros.model.window import Window

RATE = 0.02
"""How far a mean moves in one of the first steps, latent units; falls to zero with the last. In
places this is a third of a pixel: what refinement leaves off with is closer than a pixel already,
and longer steps would first lead away from it."""

MEMORY = 0.8, 0.8
"""Adam's, of gradients and of their squares."""

Slope = Callable[[Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]
"""From lambda [B, F, K, 4N] to, at its means: the gradient of the free energy [B, F, K, 4N], the
newest frame's free energy by slot [B, K], nats, q(a) [B, F - 1, K, 4] and masks [B, K, M]."""


def slope_of(model: Obai, window: Window) -> Slope:
    """Return the slope of a window's free energy, by `free_energy.evaluate`."""
    silence = Silence(model.device)

    def slope(packed: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        found = evaluate(model, replace(window, packed=packed), silence)
        return (found.gradient, found.free_energy.of_slots[:, -1], found.action_packed,
                found.mixture.mask[:, -1, :, 0])
    return slope


@torch.no_grad()
def descend(model: Obai, window: Window, steps: int, slope: Slope | None = None
            ) -> tuple[Window, Tensor]:
    """
    Return the window after gradient steps of all its means, and the newest frame's free energy by
    slot [B, K] before the last of them, nats.

    steps: at least 1; the more, the lower the free energy. slope: None for `slope_of`.

    All frames and slots move at once; the spreads stay as refinement left them. The free energy is
    that of the means, so that no random numbers are drawn.
    """
    if steps < 1:
        raise ValueError(f'steps is {steps}: expected at least 1')
    packed = window.packed.detach().clone()
    slope = slope or slope_of(model, window)
    adam = torch.optim.Adam([packed], RATE, MEMORY)
    for step in range(steps):
        gradient, energy, action, mask = slope(packed)
        means, spreads = gradient.chunk(2, -1)
        packed.grad = torch.cat([means, torch.zeros_like(spreads)], -1)
        for group in adam.param_groups:
            group['lr'] = RATE * (1.0 - step / steps)
        adam.step()
        packed.copy_(bounded(packed))
    packed.grad = None
    return replace(window, packed=packed, action_packed=action, mask=mask), energy
