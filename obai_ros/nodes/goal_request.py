# SPDX-License-Identifier: Apache-2.0
"""A goal as a command asks for it, sent to a planner."""
from __future__ import annotations

from sensor_msgs.msg import Image

from obai_ros.messages import image
from obai_ros.msg import Goal
from obai_ros.nodes.service_call import call
from obai_ros.srv import SetGoal

KINDS = {'none': Goal.NONE, 'all': Goal.ALL, 'object': Goal.OBJECT, 'class': Goal.CLASS,
         'picture': Goal.IMAGE}


def ask_for_goal(node: str, kind: str, picture=None, stop=lambda: False, **fields):
    """
    Ask the planner `node` to pursue a goal; return its response, as `service_call.call` does.

    kind: one of KINDS; picture: [H, W, 3] uint8, which the planner fits to the model's size;
    fields: others of Goal.msg. Raises what `call` raises.
    """
    goal = Goal(kind=KINDS[kind], **fields)
    if picture is not None:
        goal.image = image.from_numpy(picture, 'rgb8', Image())
    return call(SetGoal, node, 'set_goal', SetGoal.Request(goal=goal), stop)
