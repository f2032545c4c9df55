# SPDX-License-Identifier: Apache-2.0
"""
Scenes as a camera would see them: lit from one side, on a table, through a lens.

Beyond the paper, whose sprites are flat. It is what weights for cameras learn from; the truth is
that of `rendering.render`.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from obai_ros.environment.rendering import render, silhouettes
from obai_ros.environment.scene import Scene, SceneConfig

FINER = 4
"""Points per pixel and axis that are drawn, and averaged."""

LEVELS = tuple(range(0, 256, 5))
"""Levels of colours, where those of the paper are five."""

Camera = Callable[[Scene], tuple[Tensor, Tensor]]
"""What looks at scenes: returns images and labels, as `render` does."""

LIGHT_SEED = 2 ** 53
"""Seeds of the lights of episodes count from here, where no others are."""


def in_any_colours(config: SceneConfig) -> SceneConfig:
    """Return such scenes in the colours that photographs have."""
    return replace(config, palette=LEVELS)


@dataclass(frozen=True)
class Light:
    """
    What the light, the table and the camera make of B scenes.

    direction: [B, 2], where light comes from, a unit vector (x, y). shade: [B], by how much an
    object is brighter and darker at its ends. shadow: [B], share of light that shadows take.
    height: [B], how far shadows fall, in sizes of the object. tint: [B, 3], of each channel.
    texture: [B, 1, FINER H, FINER W], by how much the table is brighter. vignette: [B], share of
    light that is missing in the corners. blur: standard deviation of the lens's blur, px.
    noise: [B], standard deviation of each picture's noise, of [0, 1].
    """

    direction: Tensor
    shade: Tensor
    shadow: Tensor
    height: Tensor
    tint: Tensor
    texture: Tensor
    vignette: Tensor
    blur: float
    noise: Tensor


def sample_light(config: SceneConfig, batch: int, generator: torch.Generator, device='cpu'
                 ) -> Light:
    """Draw what B videos are seen in; generator must live on `device`."""
    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator, device=device)

    angle = uniform(0.0, 2.0 * torch.pi, batch)
    grain = torch.randn(batch, 1, config.image_size // 4, config.image_size // 4,
                        generator=generator, device=device)
    side = FINER * config.image_size
    texture = F.interpolate(grain, (side, side), mode='bicubic', align_corners=False)
    return Light(
        direction=torch.stack([angle.cos(), angle.sin()], -1), shade=uniform(0.0, 0.3, batch),
        shadow=uniform(0.0, 0.4, batch), height=uniform(0.05, 0.25, batch),
        tint=uniform(0.92, 1.08, batch, 3),
        texture=texture * uniform(0.0, 0.04, batch, 1, 1, 1),
        vignette=uniform(0.0, 0.3, batch), blur=0.4, noise=uniform(0.0, 0.03, batch))


def photograph(scene: Scene, light: Light, config: SceneConfig, generator: torch.Generator
               ) -> Tensor:
    """
    Return images [B, 3, H, W] float32 in [0, 1] of scenes.

    Nearer objects throw their shadows on those behind them and on the table.
    """
    side = FINER * config.image_size
    fine = replace(scene, position=FINER * scene.position, size=FINER * scene.size)
    away = -light.direction[:, None] * (light.height[:, None] * fine.size)[..., None]
    inside = silhouettes(fine, side)
    fallen = silhouettes(replace(fine, position=fine.position + away), side).float()
    # Shadows are soft, so that they need not be drawn finely.
    fallen = F.interpolate(_blurred(F.avg_pool2d(fallen, FINER), config.pixels_per_unit),
                           scale_factor=FINER, mode='bilinear')
    centres = torch.arange(side, device=inside.device) + 0.5

    def per_image(value: Tensor) -> Tensor:
        return value[:, None, None, None]

    images = per_image(scene.background) * (1.0 + light.texture).expand(-1, 3, -1, -1)
    for number in range(scene.num_objects):
        own = inside[:, number, None]
        images = images * (1.0 - per_image(light.shadow) * fallen[:, number, None] * ~own)
        off = centres[None] - fine.position[:, number, :, None]                  # [B, 2, side]
        along = light.direction[..., None] * off / (0.5 * fine.size[:, number, None, None])
        lit = 1.0 + per_image(light.shade) * (along[:, 0, None, :] + along[:, 1, :, None])[:, None]
        images = torch.where(own, scene.colour[:, number, :, None, None] * lit.clamp(min=0.0),
                             images)
    across = (centres / side - 0.5).square()
    falloff = 1.0 - per_image(light.vignette) * 2.0 * (across + across[:, None])
    images = images * falloff * light.tint[..., None, None]
    images = _blurred(F.avg_pool2d(images, FINER), light.blur)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + per_image(light.noise) * noise).clamp(0.0, 1.0)


def photographer(config: SceneConfig, batch: int, generator: torch.Generator) -> Camera:
    """Return what photographs B scenes as they go on, in a light of their own."""
    light = sample_light(config, batch, generator)

    def see(scene: Scene) -> tuple[Tensor, Tensor]:
        return photograph(scene, light, config, generator), render(scene, config)[1]
    return see


def episode_camera(config: SceneConfig, photographs: bool, seed: int, episodes: Sequence[int]
                   ) -> Camera:
    """
    Return what looks at the scenes of episodes as they go on, one scene of each.

    photographs: whether it photographs them; otherwise images are flat. seed, episodes: as for
    `scene.episode_generator`; what an episode looks like depends on nothing else.
    """
    if not photographs:
        return partial(render, config=config)
    cameras = [photographer(config, 1, torch.Generator().manual_seed(
        LIGHT_SEED + seed * 2 ** 20 + int(episode))) for episode in episodes]

    def see(scene: Scene) -> tuple[Tensor, Tensor]:
        seen = [camera(scene[index:index + 1]) for index, camera in enumerate(cameras)]
        images, labels = zip(*seen)
        return torch.cat(images), torch.cat(labels)
    return see


def _blurred(images: Tensor, sd: float) -> Tensor:
    """Return images [B, C, H, W], blurred with a standard deviation of `sd` px."""
    reach = max(int(2.5 * sd), 1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=images.device) / sd) ** 2)
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, 1, -1)
    padded = F.pad(images, (reach,) * 4, mode='replicate')
    across = F.conv2d(padded, kernel, groups=images.shape[1])
    return F.conv2d(across, kernel.mT, groups=images.shape[1])
