# SPDX-License-Identifier: Apache-2.0
"""The moving picture of a few episodes of a benchmark."""
from __future__ import annotations

from torch import Tensor
import torch

from obai_ros.control.episodes import Move
from obai_ros.control.task import Task
from obai_ros.demo.animation import Reel
from obai_ros.demo.records import Frame
from obai_ros.environment.scene import Scene
from obai_ros.model.pixels import to_picture


class Camera:
    """
    Witness of the first `episodes` of those that are played at once; see `episodes.play`.

    Of pilots that see pixels only.
    """

    def __init__(self, episodes: int):
        self._episodes = episodes
        self._frames: list[list[Frame]] = [[] for _ in range(episodes)]

    def __call__(self, scene: Scene, image: Tensor, move: Move) -> None:
        """Keep what is seen of one frame."""
        labels = move.percept.labels
        reconstruction = move.percept.reconstruction()
        for index in range(min(self._episodes, len(image))):
            used = (move.field.acceleration[index] != 0).any(-1)
            acceleration = move.field.acceleration[index, used]
            self._frames[index].append(Frame(
                position=scene.position[index].numpy(), velocity=scene.velocity[index].numpy(),
                image=to_picture(image[index]), labels=labels[index].cpu().numpy(),
                reconstruction=to_picture(reconstruction[index]),
                arrows=(move.field.row[index, used].numpy(), move.field.col[index, used].numpy(),
                        *acceleration.numpy().T),
                time=float(len(self._frames[index]))))

    def reels(self, task: Task) -> list[Reel]:
        """Return what is to be shown of the episodes of `task`."""
        reels = []
        for index, frames in enumerate(self._frames):
            if not frames:
                continue
            targeted = task.targeted[index]
            goals = task.goal[index, targeted]
            position = torch.stack([torch.as_tensor(frame.position) for frame in frames])
            away = (position[:, targeted] - goals).norm(dim=-1)
            captions = tuple(
                f'{task.kind} {index + 1}   step {step}   distance to the goal '
                + '  '.join(f'{value:.1f}' for value in values) + ' px'
                for step, values in enumerate(away.tolist()))
            marks = tuple(tuple(goal) for goal in goals.unique(dim=0).tolist())
            reels.append(Reel(tuple(frames), marks, captions))
        return reels
