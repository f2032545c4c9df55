# SPDX-License-Identifier: Apache-2.0
"""Tasks: what is asked for, in the terms that it is asked in, and what would fulfil it."""
from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from obai_ros.environment.photograph import Camera, episode_camera
from obai_ros.environment.rendering import render
from obai_ros.environment.scene import episode_generator, sample_scene, Scene, SceneConfig
from obai_ros.environment.shapes import SHAPES

TASKS = ('gather', 'single', 'sort', 'image')
# Goals lie where objects start: in the middle 60 % of the image.
GOAL_RANGE = (0.2, 0.8)


@dataclass(frozen=True)
class Task:
    """
    B episodes to be played, with O objects each.

    What fulfils it: goal [B, O, 2] px for each object, targeted [B, O] bool: the objects that
    must get there (the others must be left alone).
    What is said: gather and single: point [B, 1, 2] px; single: named [B, 2] px, where the
    object that is meant is, and shows, at frame 0; sort: point [B, shapes, 2] px, one for each of
    SHAPES; image: image [B, 3, H, W], the picture to be made.
    number [B] int64: which episodes of the seed these are. photographs: whether images are what a
    camera would see (`environment.photograph`), or flat.
    """

    kind: str
    number: Tensor
    scene: Scene
    config: SceneConfig
    goal: Tensor
    targeted: Tensor
    point: Tensor | None = None
    named: Tensor | None = None
    image: Tensor | None = None
    seed: int = 0
    photographs: bool = False

    @property
    def batch(self) -> int:
        return self.scene.batch

    def part(self, start: int, stop: int) -> Task:
        """Return the episodes start..stop - 1."""
        def cut(value):
            return None if value is None else value[start:stop]

        return replace(self, number=cut(self.number), scene=cut(self.scene), goal=cut(self.goal),
                       targeted=cut(self.targeted), point=cut(self.point), named=cut(self.named),
                       image=cut(self.image))


    def camera(self) -> Camera:
        """Return what looks at the scenes of these episodes as they go on."""
        return episode_camera(self.config, self.photographs, self.seed, self.number.tolist())


def sample_task(kind: str, config: SceneConfig, episodes: int, seed: int,
                photographs: bool = False) -> Task:
    """
    Draw episodes; the same seed gives the same ones, and the first of many are those of few.

    photographs: whether what is seen is what a camera would see. Raises ValueError for a task
    that there is not.
    """
    if kind not in TASKS:
        raise ValueError(f'there is no task {kind!r}: choose one of {", ".join(TASKS)}')
    # One by one, so that an episode does not depend on how many others there are.
    draws = [_sample_episode(kind, config, episode_generator(seed, episode))
             for episode in range(episodes)]

    def joined(name: str) -> Tensor | None:
        values = [getattr(draw, name) for draw in draws]
        return None if values[0] is None else torch.cat(values)

    scene = Scene(**{name: torch.cat([getattr(draw.scene, name) for draw in draws])
                     for name in vars(draws[0].scene)})
    task = Task(kind, torch.arange(episodes), scene, config, *(joined(name) for name in (
        'goal', 'targeted', 'point', 'named')), seed=seed, photographs=photographs)
    if kind == 'image':
        task = replace(task, image=task.camera()(replace(scene, position=task.goal))[0])
    return task


def _sample_episode(kind: str, config: SceneConfig, generator: torch.Generator) -> Task:
    scene = sample_scene(config, 1, generator)
    objects = config.num_objects

    def places(count: int) -> Tensor:
        low, high = GOAL_RANGE
        return config.image_size * (low + (high - low) * torch.rand(
            1, count, 2, generator=generator))

    targeted = torch.ones(1, objects, dtype=torch.bool)
    named = None
    if kind == 'sort':
        point = places(len(SHAPES))
        goal = point.gather(1, scene.shape[..., None].expand(-1, -1, 2))
    elif kind == 'image':
        point, goal = None, places(objects)
    else:
        point = places(1)
        goal = point.expand(-1, objects, -1)
    if kind == 'single':
        # One that shows where it is said to be, or the words would mean another.
        _, labels = render(scene, config)
        pixel = scene.position.long()
        shown = labels[0][pixel[0, :, 1], pixel[0, :, 0]] == torch.arange(1, objects + 1)
        lottery = torch.rand(objects, generator=generator) + shown
        chosen = int(lottery.argmax())
        targeted = torch.arange(objects)[None] == chosen
        named = scene.position[:, chosen]
    return Task(kind, torch.zeros(1, dtype=torch.int64), scene, config, goal, targeted, point,
                named)
