# SPDX-License-Identifier: Apache-2.0
"""Pilots that need no perception: the one who knows the truth, and the one who does nothing."""
from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.control.episodes import Move
from obai_ros.control.task import Task
from obai_ros.environment.scene import Scene
from obai_ros.model.belief import Belief
from obai_ros.model.contact import contacts
from obai_ros.model.percept import moments
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
        self._planner = Planner(torch.eye(2), config)

    def begin(self, task: Task) -> None:
        """Take note of where each object is to go."""
        self._goal = self._planner.terms(
            Preference.diagonal(task.goal, torch.full_like(task.goal, 4.0)))
        self._targeted = task.targeted

    def act(self, image: Tensor, scene: Scene, labels: Tensor) -> Move:
        """Plan for the true objects and push them where they truly are."""
        batch, height, width = labels.shape
        objects = scene.num_objects
        masks = torch.nn.functional.one_hot(labels.long(), objects + 1).permute(0, 3, 1, 2)
        touch = contacts(masks.float(), torch.zeros(batch, dtype=torch.int64))
        sure = torch.full_like(scene.position, -5.0)
        belief = Belief(scene.position, scene.velocity, sure, sure)
        mass, centre = moments(masks[:, 1:].float())
        plan = self._planner.plan(belief, self._goal, self._targeted,
                                  reachable=touch.reachable[:, 1:],
                                  view=View(centre, mass, mass > 0))
        nothing = torch.zeros(batch, 1, 2)
        unmoved = torch.zeros(batch, 1, dtype=torch.bool)
        field = place(touch, torch.cat([nothing, plan.acceleration], 1),
                      torch.cat([unmoved, self._targeted], 1), height, width)
        return Move(field, torch.arange(-1, objects).expand(batch, -1))
