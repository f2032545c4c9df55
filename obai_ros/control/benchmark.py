# SPDX-License-Identifier: Apache-2.0
"""A benchmark: one task, several planners, the same episodes for each."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from obai_ros.control.episodes import Episodes, Move, Pilot, play
from obai_ros.control.model_pilot import ModelPilot
from obai_ros.control.pilots import Onlooker, Oracle
from obai_ros.control.task import Task
from obai_ros.environment.scene import Scene
from obai_ros.model.checkpoint import Checkpoint
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.planner import PlannerConfig

PLANNERS = ('feef', 'eq14', 'oracle', 'none')
FROM_PIXELS = ('feef', 'eq14')


def make_pilot(planner: str, config: PlannerConfig, checkpoint: Checkpoint | None = None,
               bank: GoalBank | None = None) -> Pilot:
    """
    Return the pilot by this name.

    feef and eq14 plan by that law, whatever `config` says, from pixels, and need a model and its
    bank; oracle is given the truth; none does nothing. Raises ValueError for any other name.
    """
    if planner == 'none':
        return Onlooker()
    if planner == 'oracle':
        return Oracle(config)
    check_planner(planner)
    if checkpoint is None or bank is None:
        raise ValueError(f'the planner {planner} sees pixels: it needs a model and a goal bank')
    return ModelPilot(checkpoint, bank, replace(config, law=planner))


def check_planner(name: str) -> None:
    """Raise ValueError, in a sentence, unless there is a planner of this name."""
    if name not in PLANNERS:
        raise ValueError(f'there is no planner {name!r}: choose of {", ".join(PLANNERS)}')


def play_in_parts(task: Task, pilot: Pilot, steps: int, batch: int,
                  progress: Callable[[int], None] = lambda episodes: None,
                  witness: Callable[[Scene, Tensor, Move], None] = lambda *_: None) -> Episodes:
    """
    Play all episodes, so many at once; `progress` is given the number that is finished.

    What comes out does not depend on how many are played at once. `witness`: of the first part,
    see `episodes.play`.
    """
    parts = []
    for start in range(0, task.batch, batch):
        stop = min(start + batch, task.batch)
        parts.append(play(task.part(start, stop), pilot, steps,
                          witness=witness if start == 0 else lambda *_: None))
        progress(stop)
    return Episodes.join(parts)
