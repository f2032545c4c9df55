# SPDX-License-Identifier: Apache-2.0
"""obai_ros/Goal <-> what planning calls a goal, and in words."""

from obai_ros.msg import Goal
from obai_ros.planning import goal as planning


def read(message, scene=None) -> planning.Goal:
    """Return the goal of a message; scene: what is seen in its image."""
    sizes = message.size_min, message.size_max
    return planning.Goal(
        kind=message.kind, x=message.x, y=message.y, u=message.u, v=message.v,
        spread=message.spread, scene=scene, partial=message.partial, also=message.also,
        object_class=planning.ObjectClass(
            shape=message.shape or None,
            # Rounded to what was meant before it was squeezed into single precision.
            colour=tuple(round(float(value), 6) for value in message.colour) or None,
            size_range=None if sizes == (0., 0.) else sizes))


def write(goal: planning.Goal) -> Goal:
    """Return the message of a goal, without its image."""
    what = goal.object_class
    size_min, size_max = what.size_range or (0., 0.)
    return Goal(kind=int(goal.kind), x=goal.x, y=goal.y, u=goal.u, v=goal.v, spread=goal.spread,
                shape=what.shape or '', colour=list(what.colour or ()), size_min=size_min,
                size_max=size_max, partial=goal.partial, also=goal.also)


def in_words(goal: planning.Goal) -> str:
    """Say what the goal is."""
    if goal.kind == Goal.NONE:
        return 'nothing is pushed'
    if goal.kind == Goal.IMAGE:
        count = int(goal.scene.objects.sum())
        return f'{count} {"objects" if count != 1 else "object"} to where the image shows them'
    what = {Goal.ALL: 'all objects', Goal.OBJECT: f'the object at ({goal.u:g}, {goal.v:g})',
            Goal.CLASS: f'each {_class(goal.object_class)}'}[goal.kind]
    return f'{what} to ({goal.x:g}, {goal.y:g}) px'


def _class(what):
    words = what.shape or 'object'
    if what.colour is not None:
        words += ' of colour (' + ', '.join(f'{value:g}' for value in what.colour) + ')'
    if what.size_range is not None:
        words += f' of {what.size_range[0]:g} to {what.size_range[1]:g} px'
    return words
