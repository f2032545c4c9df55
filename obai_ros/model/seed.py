# SPDX-License-Identifier: Apache-2.0
"""
Seeds: squares to begin with, where something in an image asks for an explanation.

Beyond the paper, whose slots all begin with one belief and find their objects by chance. What has
squares (see `glimpse`) can begin near something instead (data-driven proposals, as in `birth`): a
seed says where a patch of another colour is and about how large. What it is, and whether it is one
object, is left to refinement. A model that knows nothing yet learns much sooner from there, too.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from obai_ros.model.glimpse import PLACE, state_at
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.patch import Patch, unexplained_patch
from obai_ros.model.window import open_window, Window

SMALLEST = 12.0
"""px: patches of less are no object to begin with."""

MARGIN = 1.6
"""Side of a square, relative to the root of the patch's mass."""

STRAY = 0.03
"""Standard deviation of a seed from the patch's middle, relative to the image's side."""

SWELL = 0.15
"""Standard deviation of the logarithm of a square's side."""

ANYWHERE = 0.2
"""Standard deviation from the image's middle, relative to its side, where there is no patch."""

VARIETY = 0.3
"""Standard deviation of the other latents, about which a seed says nothing."""


def seeded_window(model: Obai, image: Tensor, noise: Noise, scattered: bool = True) -> Window:
    """
    Return a window on images [B, 3, H, W] in which each slot but the first begins at a patch.

    scattered: begin near patches, as in learning, instead of in their middles. Slots for which
    there is no patch begin anywhere. The first is left for the background.
    """
    config, window = model.config, open_window(model, image)
    size, lead = config.image_size, (window.batch, config.num_slots - 1)
    stray = noise.normal(*lead, config.latent_size)
    centre = np.full((*lead, 2), size / 2.0, np.float32)
    side = np.full(lead, MARGIN * size / 5.0, np.float32)
    spread = np.full(lead, ANYWHERE, np.float32)
    at_patch = np.zeros(lead, bool)
    for sequence, one in enumerate(image.float().cpu().numpy()):
        for slot, patch in enumerate(patches(one, lead[1], config.sigma_o)[0]):
            centre[sequence, slot], spread[sequence, slot] = patch.centre, STRAY
            side[sequence, slot] = MARGIN * patch.mass ** 0.5
            at_patch[sequence, slot] = True
    centre, side, spread = (torch.from_numpy(value).to(stray) for value in (centre, side, spread))
    if not scattered:
        stray = stray.masked_fill(torch.from_numpy(at_patch).to(stray.device)[..., None], 0.0)
    place = state_at(centre + spread[..., None] * size * stray[..., :2],
                     side * (SWELL * stray[..., 2]).exp(), size).to(model.dtype)
    means = window.packed[:, 0, :, :config.latent_size]
    rest = means[:, 1:, PLACE:] + VARIETY * stray[..., PLACE:].to(model.dtype)
    means = torch.cat([means[:, :1], torch.cat([place, rest], -1)], 1)
    packed = torch.cat([means, window.packed[:, 0, :, config.latent_size:]], -1)
    return replace(window, packed=packed[:, None])


def patches(image: np.ndarray, count: int, sigma_o: float) -> tuple[list[Patch], np.ndarray]:
    """
    Return at most so many patches that ask most for explanation, and who has each pixel.

    image: [3, H, W] in [0, 1]. What most of the image looks like is taken for the background, 0
    in the second, [H, W] int64, in which patches are numbered from 1.
    """
    owner, found = np.zeros(image.shape[1:], np.int64), []
    for slot in range(count):
        patch = unexplained_patch(image, owner, sigma_o)
        if patch is None or patch.mass < SMALLEST:
            break
        owner[patch.pixels] = slot + 1
        found.append(patch)
    return found, owner
