# SPDX-License-Identifier: Apache-2.0
"""What is said to whoever plays an episode of a task: its goals, in the terms of planning."""
from __future__ import annotations

from obai_ros.control.task import Task
from obai_ros.environment.shapes import SHAPES
from obai_ros.planning.goal import Goal, Kind, ObjectClass


def requests(task: Task, episode: int) -> list[Goal]:
    """
    Return the goals of an episode, to be asked for one after the other.

    Those that are about what is in view (`Goal.needs_sight`) can be asked for once the first
    frame has been seen. The picture of a task `image` is `task.image[episode]`.
    """
    if task.kind == 'image':
        return [Goal(Kind.IMAGE, partial=True)]
    points = task.point[episode].tolist()
    if task.kind == 'gather':
        return [Goal(Kind.ALL, *points[0])]
    if task.kind == 'single':
        return [Goal(Kind.OBJECT, *points[0], *task.named[episode].tolist())]
    return [Goal(Kind.CLASS, *point, object_class=ObjectClass(shape), also=True)
            for shape, point in zip(SHAPES, points)]
