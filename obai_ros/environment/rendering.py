# SPDX-License-Identifier: Apache-2.0
"""From a scene to an image and its true segmentation."""
from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.environment.scene import Scene, SceneConfig
from obai_ros.environment.shapes import INSIDE, SHAPES


def silhouettes(scene: Scene, image_size: int) -> Tensor:
    """
    Return [B, O, H, W] bool: the pixels whose centre lies inside each object.

    Binary on purpose (no anti-aliasing): a pixel belongs to one object or to the background.
    Positions are continuous, so that motion is sub-pixel.
    """
    centres = torch.arange(image_size, device=scene.position.device) + 0.5
    dx = centres - scene.position[..., 0, None]  # [B, O, W]
    dy = centres - scene.position[..., 1, None]  # [B, O, H]
    cos = (scene.orientation.cos() / scene.size)[..., None]
    sin = (scene.orientation.sin() / scene.size)[..., None]
    # Into the frame of the object, where its bounding square is [-0.5, 0.5]^2.
    u = (cos * dx)[..., None, :] + (sin * dy)[..., :, None]  # [B, O, H, W]
    v = (-sin * dx)[..., None, :] + (cos * dy)[..., :, None]
    inside = torch.zeros_like(u, dtype=torch.bool)
    for index, name in enumerate(SHAPES):
        chosen = scene.shape == index
        inside[chosen] = INSIDE[name](u[chosen], v[chosen])
    return inside


def render(scene: Scene, config: SceneConfig) -> tuple[Tensor, Tensor]:
    """
    Draw the scene.

    Returns images [B, 3, H, W] float32 in [0, 1] and labels [B, H, W] uint8: 0 = background,
    n = object n, counted from 1; nearer objects (later index) hide farther ones.
    """
    inside = silhouettes(scene, config.image_size)
    number = torch.arange(1, scene.num_objects + 1, dtype=torch.uint8, device=inside.device)
    labels = (inside.to(torch.uint8) * number[:, None, None]).amax(1)
    grey = scene.background[:, None, None].expand(-1, 1, 3)
    colours = torch.cat([grey, scene.colour], 1)  # [B, 1 + O, 3]
    index = labels.flatten(1).long()[..., None].expand(-1, -1, 3)
    images = colours.gather(1, index).transpose(1, 2)
    return images.reshape(scene.batch, 3, *labels.shape[1:]), labels
