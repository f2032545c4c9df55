# SPDX-License-Identifier: Apache-2.0
"""The pilot that sees pixels only: filter, goal bank and planner, as in the nodes."""
from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.control.episodes import Move
from obai_ros.control.task import Task
from obai_ros.environment.scene import Scene
from obai_ros.model.belief import Belief
from obai_ros.model.checkpoint import Checkpoint
from obai_ros.model.filter import Filter
from obai_ros.model.percept import Percept
from obai_ros.planning.assignment import appearance_cost, cheapest
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.occlusion import View
from obai_ros.planning.placement import contacts, place
from obai_ros.planning.planner import Planner, PlannerConfig
from obai_ros.planning.preference import Preference
from obai_ros.training.matching import overlap

# A goal image is looked at for so many frames, and the present one, before objects are matched.
LOOKS = 4


class ModelPilot:
    """
    Plays from pixels with the model of `checkpoint` and the goals of its `bank`.

    starts: how often an episode's first frame is begun anew; see `Schedule.starts`.
    """

    def __init__(self, checkpoint: Checkpoint, bank: GoalBank,
                 config: PlannerConfig = PlannerConfig(), spread_px: float = 2.0,
                 starts: int = 4):
        self._filter = Filter(checkpoint.model, checkpoint.schedule.changed(starts=starts))
        self._device = checkpoint.model.device
        self._bank = bank.to(self._device)
        self._dynamics = checkpoint.model.dynamics.D.detach()
        self._planner = Planner(self._dynamics, config)
        self._spread = spread_px

    def begin(self, task: Task) -> None:
        """Forget everything and listen to what is asked for."""
        self._task = task
        self._frame, self._field = 0, None
        self._state = self._filter.start(task.batch, task.number.tolist())
        self._slot = self._counterpart = self._evidence = None
        if task.kind == 'image':
            self._wanted = self._look_at(task)
            self._places = self._toward(self._bank.locate(self._wanted.belief.mean))
        else:
            self._places = self._toward(task.point)

    def act(self, image: Tensor, scene: Scene, labels: Tensor) -> Move:
        """Perceive, plan and push; the truth is used only to say afterwards what was hit."""
        self._state, percept = self._filter.step(self._state, image, self._field)
        goal, active = self._goals(percept)
        touch = contacts(percept.masks, percept.background)
        showing = ~percept.empty
        showing.scatter_(1, percept.background[:, None], False)
        plan = self._planner.plan(percept.belief, goal, active, reachable=touch.reachable,
                                  view=View(percept.centroid, percept.mass, showing))
        height, width = image.shape[-2:]
        self._field = place(touch, plan.acceleration, active, height, width).to('cpu')
        self._frame += 1
        share = overlap(percept.masks.argmax(1).cpu(), labels, percept.masks.shape[1],
                        scene.num_objects)
        best, holder = share.max(1)
        return Move(self._field, torch.where(best > 0, holder, -1))

    def _goals(self, percept: Percept) -> tuple[Preference, Tensor]:
        """Return a goal for each slot, [B, K], and which slots are to pursue it."""
        batch, slots = percept.empty.shape
        place_of = torch.zeros(batch, slots, dtype=torch.int64, device=self._device)
        active = ~percept.empty
        active.scatter_(1, percept.background[:, None], False)
        kind = self._task.kind
        if kind == 'single':
            if self._slot is None:
                self._slot = self._pointed_at(percept, active)
            active &= torch.arange(slots, device=self._device) == self._slot[:, None]
        elif kind == 'sort':
            evidence = self._bank.shape_evidence(percept.belief.mean)
            # Old evidence fades, as a slot may come to hold another object.
            self._evidence = evidence + (0 if self._evidence is None else 0.8 * self._evidence)
            place_of = self._evidence.argmax(-1)
        elif kind == 'image':
            if self._frame < LOOKS:
                self._counterpart = self._match(percept, active)
            place_of = self._counterpart.clamp(min=0)
            active &= self._counterpart >= 0
        row = torch.arange(batch, device=self._device)[:, None]
        return self._places[row, place_of], active

    def _toward(self, points: Tensor) -> Preference:
        """Return the preferences [B, P] for points [B, P, 2] px, within the image."""
        inside = points.to(self._device).clamp(0, self._task.config.image_size)
        return self._bank.toward(inside, self._spread)

    def _pointed_at(self, percept: Percept, active: Tensor) -> Tensor:
        """Return [B]: the slot that shows at the named point, or the nearest where none does."""
        named = self._task.named.to(self._device)
        col, row = named.long().unbind(-1)
        batch = torch.arange(len(named), device=self._device)
        share = percept.masks[batch, :, row, col].masked_fill(~active, 0)
        away = (percept.centroid - named[:, None]).norm(dim=-1).masked_fill(~active, torch.inf)
        return torch.where(share.amax(1) > 0.5, share.argmax(1), away.argmin(1))

    def _look_at(self, task: Task) -> Percept:
        """Return what is seen in the goal image after a few looks at it."""
        state = self._filter.start(task.batch, (task.number + 2 ** 20).tolist())
        for _ in range(LOOKS):
            state, percept = self._filter.step(state, task.image)
        return percept

    def _match(self, percept: Percept, active: Tensor) -> Tensor:
        """Return [B, K]: for each slot the slot of the goal image that looks like it, or -1."""
        wanted = ~self._wanted.empty
        wanted.scatter_(1, self._wanted.background[:, None], False)
        counterpart = torch.full_like(percept.empty, -1, dtype=torch.int64)
        for b in range(len(active)):
            here, there = active[b].nonzero().squeeze(1), wanted[b].nonzero().squeeze(1)
            cost = appearance_cost(_chosen(percept.belief, b, here),
                                   _chosen(self._wanted.belief, b, there), self._dynamics)
            for slot, column in zip(here, cheapest(cost.tolist())):
                if column >= 0:
                    counterpart[b, slot] = there[column]
        return counterpart


def _chosen(belief: Belief, row: int, slots: Tensor) -> Belief:
    return belief[row][slots]
