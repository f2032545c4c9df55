# SPDX-License-Identifier: Apache-2.0
"""The pilot that sees pixels only: filter, goals and planner, the same objects as in the nodes."""
from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from obai_ros.control.episodes import Move
from obai_ros.control.request import requests
from obai_ros.control.task import Task
from obai_ros.environment.scene import Scene
from obai_ros.model.belief import Belief
from obai_ros.model.checkpoint import Checkpoint
from obai_ros.model.filter import Filter
from obai_ros.planning.delay import Action, foresee, Underway
from obai_ros.planning.goal import Sight
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.goal_image import look
from obai_ros.planning.goal_terms import GoalTerms
from obai_ros.planning.occlusion import View
from obai_ros.planning.placement import place
from obai_ros.planning.planner import Planner, PlannerConfig
from obai_ros.planning.preference import GoalError
from obai_ros.planning.pursuit import Pursuit
from obai_ros.planning.recognition import Recogniser
from obai_ros.training.matching import overlap

SPREAD = 2.0
"""Standard deviation of goals, px, as the planner's unless told otherwise."""
SEED = 0
"""Of the noise that the filter starts each episode with, in the batch as in the nodes."""


class ModelPilot:
    """
    Plays from pixels with the model of `checkpoint` and the goals of its `bank`.

    Moves are carried out `config.delay` frames after they were decided on, and planned for then.
    Its filter looks as perception_node does unless told otherwise. Goals about objects in view are
    asked for when the first frame has been answered, which hence does nothing about them.
    """

    def __init__(self, checkpoint: Checkpoint, bank: GoalBank,
                 config: PlannerConfig = PlannerConfig()):
        self._filter = Filter(checkpoint.model, checkpoint.schedule.careful())
        self._device = checkpoint.model.device
        self._bank = bank.to(self._device)
        self._recogniser = Recogniser(self._bank)
        self._dynamics = checkpoint.model.dynamics.D.detach()
        self._planner = Planner(self._dynamics, config)
        self._config = config
        self.asked, self.refused = 0, []

    def begin(self, task: Task) -> None:
        """Forget everything but what was asked so far, and listen to what is asked for."""
        size = task.config.image_size
        self._acted, self._underway = None, Underway()
        self._state = self._filter.start(task.batch, [SEED] * task.batch)
        self._pursuits = [Pursuit(self._bank, '', self._planner, SPREAD, size, size,
                                  self._recogniser) for _ in range(task.batch)]
        self._pending = [requests(task, episode) for episode in range(task.batch)]
        if task.kind == 'image':
            scenes = look(self._filter, task.image.to(self._device), SEED)
            self._pending = [[replace(goal, scene=scene) for goal in goals]
                             for goals, scene in zip(self._pending, scenes)]
        self._ask(None)

    def act(self, image: Tensor, scene: Scene, labels: Tensor) -> Move:
        """Perceive, plan and push; the truth is used only to say afterwards what was hit."""
        self._state, percept = self._filter.step(self._state, image,
                                                 self._acted and self._acted.field)
        sights = Sight.of(percept)
        goal, active, belief = self._aims(sights)
        height, width = image.shape[-2:]
        idle = Action.idle(*active.shape, height, width)
        if self._acted is None:
            self._underway = Underway((idle,) * self._config.delay)
        touch, later, centre = percept.contacts, belief, percept.centroid
        if self._underway.actions:
            future = foresee(belief, percept.labels, percept.background, self._underway,
                             self._dynamics, self._config.state_noise)
            touch, later, centre = future.contacts, future.belief, centre + future.way
            self._underway = future.underway
        showing = torch.stack([sight.objects for sight in sights])
        plan = self._planner.plan(later, goal, active, reachable=touch.reachable,
                                  view=View(centre, percept.mass, showing))
        field = place(touch, plan.acceleration, active, height, width).to('cpu')
        (self._acted,), self._underway = self._underway.sent(
            Action(field, field.acceleration)).passed(1, self._config.delay, idle)
        self._ask(sights)
        share = overlap(percept.assignment.argmax(1).cpu(), labels, percept.masks.shape[1],
                        scene.num_objects)
        best, holder = share.max(1)
        return Move(self._acted.field, torch.where(best > 0, holder, -1), percept)

    def _ask(self, sights: list[Sight] | None) -> None:
        """Ask for the goals that can be asked for by now."""
        for episode, (pursuit, goals) in enumerate(zip(self._pursuits, self._pending)):
            for goal in goals[:]:
                if sights is not None or not goal.needs_sight:
                    goals.remove(goal)
                    self.asked += 1
                    try:
                        pursuit.choose(goal, sights and sights[episode])
                    except GoalError as error:
                        # As a user would find out: nothing is pushed, and the episode fails.
                        self.refused.append(str(error))

    def _aims(self, sights: list[Sight]) -> tuple[GoalTerms, Tensor, Belief]:
        """Return a goal for each slot, [B, K], which slots have one, and what to plan with."""
        pushed = ([None] * len(sights) if self._acted is None
                  else self._acted.received.cpu().numpy())
        aims = [pursuit.aims(sight, received)
                for pursuit, sight, received in zip(self._pursuits, sights, pushed)]
        slots = len(sights[0].mass)
        anything = self._planner.terms(self._bank.toward((0.0, 0.0), 100.0).expand(slots))
        return (GoalTerms.stack([anything if each.terms is None else each.terms for each in aims]),
                torch.stack([each.active for each in aims]),
                Belief.unpack(torch.stack([each.belief.pack() for each in aims])))
