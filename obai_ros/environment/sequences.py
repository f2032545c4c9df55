# SPDX-License-Identifier: Apache-2.0
"""Random experience to learn from: short videos with action fields at chosen frames."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.environment.rendering import render
from obai_ros.environment.scene import Scene, SceneConfig, sample_scene, step


@dataclass(frozen=True)
class Sequences:
    """
    B videos of T frames.

    images: [B, T, 3, H, W] float32 in [0, 1]; labels: [B, T, H, W] uint8 (0 = background).
    actions: T action fields; actions[t] acts between frames t and t + 1.
    scenes: T scenes, the true states.
    """

    images: Tensor
    labels: Tensor
    actions: tuple[ActionField, ...]
    scenes: tuple[Scene, ...]


def random_action(labels: Tensor, config: SceneConfig, generator: torch.Generator,
                  background_points: int = 1) -> ActionField:
    """
    Accelerate one random visible pixel of every visible object, and some of the background.

    labels: [B, H, W] uint8. Accelerations are N(0, acceleration_sd) per axis. The background
    does not move, which is how a model learns to keep it out of the objects (section 2.4).
    """
    batch, height, width = labels.shape
    owners = list(range(1, config.num_objects + 1)) + [0] * background_points
    row, col, visible = visible_points(labels, owners, generator)
    acceleration = config.acceleration_sd * config.pixels_per_unit * torch.randn(
        batch, len(owners), 2, generator=generator, device=labels.device)
    return ActionField(row, col, acceleration * visible[..., None], height, width)


def visible_points(labels: Tensor, owners: Sequence[int], generator: torch.Generator
                   ) -> tuple[Tensor, Tensor, Tensor]:
    """
    Return a uniformly random pixel for each of P owners: row, col [B, P] int64, 0 where it has
    none, and whether it has one, [B, P] bool.

    labels: [B, H, W] uint8; owners: P of the numbers in it.
    """
    width, device = labels.shape[2], labels.device
    flat = labels.flatten(1)
    # The largest of random numbers restricted to the owner's pixels.
    lottery = torch.rand(len(flat), len(owners), flat.shape[1], generator=generator,
                         device=device)
    owned = flat[:, None] == torch.tensor(owners, dtype=torch.uint8, device=device)[:, None]
    best, pixel = torch.where(owned, lottery, -1.0).max(-1)  # [B, P]
    visible = best >= 0
    return (torch.where(visible, pixel // width, 0), torch.where(visible, pixel % width, 0),
            visible)


def sample_sequences(config: SceneConfig, batch: int, frames: int, generator: torch.Generator,
                     device='cpu', action_frames: Sequence[int] = (1,),
                     background_points: int = 1) -> Sequences:
    """
    Draw `batch` videos of `frames` frames from random scenes.

    action_frames: the frames, counted from 0, at which a random action field acts; the paper
    acts once, at the second frame. The same generator state gives the same videos.
    """
    scene = sample_scene(config, batch, generator, device)
    images, labels, actions, scenes = [], [], [], []
    for frame in range(frames):
        image, label = render(scene, config)
        if frame in action_frames:
            action = random_action(label, config, generator, background_points)
        else:
            action = ActionField.empty(batch, config.image_size, config.image_size, device)
        images.append(image)
        labels.append(label)
        actions.append(action)
        scenes.append(scene)
        scene = step(scene, label, action)
    return Sequences(torch.stack(images, 1), torch.stack(labels, 1), tuple(actions),
                     tuple(scenes))
