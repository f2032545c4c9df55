# SPDX-License-Identifier: Apache-2.0
"""Pilots that need no perception: the one who knows the truth, and the one who does nothing."""
from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.control.episodes import Move
from obai_ros.control.task import Task
from obai_ros.environment.scene import Scene
from obai_ros.model.belief import Belief
from obai_ros.model.percept import moments
from obai_ros.planning.delay import Action, foresee, Underway
from obai_ros.planning.occlusion import View
from obai_ros.planning.placement import place
from obai_ros.planning.planner import Planner, PlannerConfig
from obai_ros.planning.preference import Preference


class Onlooker:
    """Does nothing: what becomes of the objects anyway."""

    asked, refused = 0, ()

    def begin(self, task: Task) -> None:
        """Nothing to prepare."""

    def act(self, image: Tensor, scene: Scene, labels: Tensor) -> Move:
        """Return an empty field."""
        field = ActionField.empty(len(image), *image.shape[-2:])
        return Move(field, torch.empty(len(image), 0, dtype=torch.int64))


class Oracle:
    """
    Plans as the model's pilot does, but with true states and masks: what perception costs.

    Its latent state is the position in px, and D the identity.
    """

    asked, refused = 0, ()

    def __init__(self, config: PlannerConfig = PlannerConfig()):
        self._config = config
        self._planner = Planner(torch.eye(2), config)

    def begin(self, task: Task) -> None:
        """Take note of where each object is to go."""
        self._goal = self._planner.terms(
            Preference.diagonal(task.goal, torch.full_like(task.goal, 4.0)))
        self._targeted = task.targeted
        size = task.config.image_size
        self._idle = Action.idle(*task.targeted.shape, size, size)
        self._underway = Underway((self._idle,) * self._config.delay)

    def act(self, image: Tensor, scene: Scene, labels: Tensor) -> Move:
        """Plan for the true objects and push them where they truly are, or will be."""
        batch, height, width = labels.shape
        objects = scene.num_objects
        sure = torch.full_like(scene.position, -5.0)
        # No slot is the background.
        future = foresee(Belief(scene.position, scene.velocity, sure, sure), labels,
                         torch.full((batch,), -1), self._underway, torch.eye(2),
                         self._config.state_noise)
        mass, centre = moments(torch.stack([labels == number + 1 for number in range(objects)], 1)
                               .float())
        plan = self._planner.plan(future.belief, self._goal, self._targeted,
                                  reachable=future.contacts.reachable,
                                  view=View(centre + future.way, mass, mass > 0))
        field = place(replace(future.contacts, background=None), plan.acceleration,
                      self._targeted, height, width)
        (acting,), self._underway = future.underway.sent(Action(field, field.acceleration)).passed(
            1, self._config.delay, self._idle)
        return Move(acting.field, torch.arange(objects).expand(batch, -1))
