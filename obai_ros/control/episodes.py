# SPDX-License-Identifier: Apache-2.0
"""The closed loop: render, let a pilot act, step, and keep what happened."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.control.task import Task
from obai_ros.environment.scene import Scene, step
from obai_ros.model.percept import Percept


@dataclass(frozen=True)
class Move:
    """
    What a pilot does about one frame.

    field: the action field, P points per episode; holder [B, P] int64: the true object that the
    point's slot holds as far as it holds any, counted from 0, -1 for none; what the pilot meant
    to push; percept: what the pilot saw, None if it was told the truth.
    """

    field: ActionField
    holder: Tensor
    percept: Percept | None = None


class Pilot(Protocol):
    """
    Something that plays the episodes of a task, all at once, frame by frame.

    asked: how many goals it has been asked for, in all episodes so far; refused: of those that it
    could not take, why. Both are empty where nobody has to ask, because it is told the truth.
    """

    asked: int
    refused: Sequence[str]

    def begin(self, task: Task) -> None:
        """Start anew, with the episodes of this task."""

    def act(self, image: Tensor, scene: Scene, labels: Tensor) -> Move:
        """Answer the next frame, image [B, 3, H, W]; `scene` and `labels` are the truth."""


@dataclass(frozen=True)
class Episodes:
    """
    What happened in B episodes of S steps with O objects.

    position, velocity [B, S + 1, O, 2] px, px/frame; pushes, wrong [B, S]: number of actions, and
    of those that hit another object than was meant; energy [B, S]: sum of |a|^2 over the actions,
    px^2/frame^4; goal [B, O, 2] px; targeted [B, O] bool.
    """

    position: Tensor
    velocity: Tensor
    pushes: Tensor
    wrong: Tensor
    energy: Tensor
    goal: Tensor
    targeted: Tensor

    @staticmethod
    def join(parts: list[Episodes]) -> Episodes:
        """Return the episodes of all parts."""
        return Episodes(*(torch.cat([getattr(part, name) for part in parts])
                          for name in vars(parts[0])))


def play(task: Task, pilot: Pilot, steps: int,
         progress: Callable[[], None] = lambda: None,
         witness: Callable[[Scene, Tensor, Move], None] = lambda *_: None) -> Episodes:
    """
    Play the episodes of `task` for so many steps.

    `progress` is called after each frame; `witness` is shown each frame: the true scene, the
    image [B, 3, H, W] and what was done about it.
    """
    scene = task.scene
    position, velocity = [scene.position], [scene.velocity]
    pushes, wrong, energy = [], [], []
    pilot.begin(task)
    camera = task.camera()
    for _ in range(steps):
        image, labels = camera(scene)
        move = pilot.act(image, scene, labels)
        witness(scene, image, move)
        acting = (move.field.acceleration != 0).any(-1)
        pushes.append(acting.sum(-1))
        wrong.append((acting & _astray(move, labels, task)).sum(-1))
        energy.append(move.field.acceleration.square().sum((-2, -1)))
        scene = step(scene, labels, move.field)
        position.append(scene.position)
        velocity.append(scene.velocity)
        progress()
    return Episodes(torch.stack(position, 1), torch.stack(velocity, 1), torch.stack(pushes, 1),
                    torch.stack(wrong, 1), torch.stack(energy, 1), task.goal, task.targeted)


def _astray(move: Move, labels: Tensor, task: Task) -> Tensor:
    """
    Return [B, P] bool: points that push an object which is not the one to be pushed.

    That is another object than the one that the slot holds, or one that is to be left alone. A
    push of the background is no such thing: it moves nothing.
    """
    hit = labels.flatten(1).gather(1, move.field.flat_index()).long() - 1
    spared = ~task.targeted.gather(1, hit.clamp(min=0))
    return (hit >= 0) & ((hit != move.holder) | spared)
