# SPDX-License-Identifier: Apache-2.0
"""Endless experience: objects that are pushed to places, stay in view, and pile up at times."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.environment.rendering import render
from obai_ros.environment.scene import Scene, SceneConfig, sample_scene, step
from obai_ros.environment.sequences import visible_points

TOGETHER = 0.4
"""Probability that all objects of a scene are pushed to one place, where they hide each other."""

EDGE = 0.15
"""Places are at least so far from the border, as a fraction of the image."""

ELSEWHERE = 0.1
"""Probability per frame that the objects are to go to other places from now on."""

PUSHED, KICKED = 0.8, 0.1
"""Probability per frame that an object is pushed towards its place; that it is kicked instead."""

HASTE = 2.0, 8.0
"""Range of the frames that an object is to take to its place."""

FORCE = 0.3, 1.0
"""Range of the share of the missing velocity that one push makes up for."""

JITTER, BACKGROUND_SD, STRONGEST = 0.5, 2.0, 6.0
"""Standard deviation of what is added to pushes; that of accelerations of the background; and
the largest per axis: px/frame^2 in a 64 px image."""


@dataclass(frozen=True)
class Stream:
    """
    B scenes that go on, and what they look like.

    place: [B, O, 2], where objects are pushed to, px. image: [B, 3, H, W] float32 in [0, 1].
    labels: [B, H, W] uint8, 0 = background.
    """

    scene: Scene
    place: Tensor
    image: Tensor
    labels: Tensor

    @staticmethod
    def seen(scene: Scene, place: Tensor, config: SceneConfig) -> Stream:
        """Return the stream with what its scenes look like."""
        return Stream(scene, place, *render(scene, config))


def begin_stream(config: SceneConfig, batch: int, generator: torch.Generator, device='cpu'
                 ) -> Stream:
    """Draw B scenes and where their objects are to go; generator must live on `device`."""
    scene = sample_scene(config, batch, generator, device)
    place = _places(scene, config, generator)
    together = torch.rand(batch, 1, 1, generator=generator, device=device) < TOGETHER
    return Stream.seen(scene, torch.where(together, place[:, :1], place), config)


def go_on(stream: Stream, config: SceneConfig, generator: torch.Generator
          ) -> tuple[Stream, ActionField]:
    """Return the stream one frame later, and the field that acted in between."""
    field = guided_action(stream, config, generator)
    scene = step(stream.scene, stream.labels, field)
    device = stream.place.device
    elsewhere = torch.rand(len(stream.place), 1, 1, generator=generator, device=device) < ELSEWHERE
    place = torch.where(elsewhere, _places(scene, config, generator), stream.place)
    return Stream.seen(scene, place, config), field


def guided_action(stream: Stream, config: SceneConfig, generator: torch.Generator) -> ActionField:
    """
    Push one random visible pixel of each visible object, mostly towards its place.

    Random accelerations alone, as in the clips of the paper, drive everything out of the image
    within some ten frames. At times the background is pushed, too, and does not move.
    """
    scene, unit = stream.scene, config.pixels_per_unit
    batch, objects, device = scene.batch, scene.num_objects, stream.place.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator, device=device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device) * unit

    wanted = (stream.place - scene.position) / uniform(*HASTE, batch, 1, 1)
    push = (uniform(*FORCE, batch, 1, 1) * (wanted - scene.velocity)
            + JITTER * normal(batch, objects, 2))
    kicked = uniform(0.0, 1.0, batch, objects, 1) < KICKED
    push = torch.where(kicked, config.acceleration_sd * normal(batch, objects, 2), push)
    push = push.clamp(-STRONGEST * unit, STRONGEST * unit)
    push = push * (uniform(0.0, 1.0, batch, objects, 1) < PUSHED)
    rest = BACKGROUND_SD * normal(batch, 1, 2) * (uniform(0.0, 1.0, batch, 1, 1) < 0.5)
    row, col, visible = visible_points(stream.labels, [*range(1, objects + 1), 0], generator)
    return ActionField(row, col, torch.cat([push, rest], 1) * visible[..., None],
                       *stream.labels.shape[1:])


def _places(scene: Scene, config: SceneConfig, generator: torch.Generator) -> Tensor:
    """Return random places [B, O, 2], px."""
    share = torch.rand(scene.position.shape, generator=generator, device=scene.position.device)
    return (EDGE + (1.0 - 2.0 * EDGE) * share) * config.image_size
