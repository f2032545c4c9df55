# SPDX-License-Identifier: Apache-2.0
"""Runs episodes of the closed loop through services and records what the nodes publish."""
from __future__ import annotations

import contextlib
import functools
import time

from lifecycle_msgs.msg import TransitionEvent
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from obai_ros.demo.records import Episode, Frame
from obai_ros.messages import action_field, image
from obai_ros.msg import ActionField, Goal, ObjectStates, SlotBeliefs
from obai_ros.nodes import qos
from obai_ros.nodes.guest import Guest
from obai_ros.srv import SetGoal

# Who publishes what, in the order in which a frame goes round the loop.
_LOOP = (('image_raw', 'sim_node'), ('slots', 'perception_node'), ('action_field', 'planner_node'),
         ('applied_action_field', 'sim_node'))
_PARTS = {'objects', 'image', 'labels', 'reconstruction', 'arrows'}


class LoopBroken(RuntimeError):
    """The loop does not go round; `culprit` is the name of the node to look at."""

    def __init__(self, culprit: str, sentence: str):
        super().__init__(sentence)
        self.culprit = culprit


class DemoNode(Node):
    """
    Drives sim_node and planner_node and records episodes.

    context: of rclpy, initialised. It is served while it waits, by the executor that it was added
    to.
    watch: called often while waiting; raises when there is no point in waiting on.
    patience: s without a new frame, or an answer, after which the loop counts as broken.
    """

    def __init__(self, context, watch, patience: float = 20.0):
        super().__init__('demo_node', context=context)
        self.model_id = ''
        self._watch = watch
        self._patience = patience
        self._newest: dict[str, tuple] = {}
        self._parts: dict[tuple, dict] = {}
        self._order: list[tuple] = []
        self._episode = -1
        self._awaited = None
        self._goal = self.create_client(SetGoal, 'planner_node/set_goal')
        self._reset = self.create_client(Trigger, 'sim_node/reset')
        self._pause = self.create_client(SetBool, 'sim_node/pause')
        for topic, kind, take in (
                ('image_raw', Image, self._take_image),
                ('label_image', Image, self._take_labels),
                ('reconstruction', Image, self._take_reconstruction),
                ('slots', SlotBeliefs, self._take_slots),
                ('action_field', ActionField, self._take_action),
                ('applied_action_field', ActionField, self._take_applied),
                ('ground_truth/objects', ObjectStates, self._take_objects)):
            self.create_subscription(kind, topic, take, qos.RECORD)
        self._pursued = None
        self.create_subscription(Goal, 'goal_state', self._take_goal, qos.LATCHED)
        for node in ('perception_node', 'planner_node'):
            self.create_subscription(
                TransitionEvent, f'{node}/transition_event',
                functools.partial(self._take_transition, node), qos.RECORD)

    def wait_for_loop(self, patience: float) -> None:
        """
        Wait until all services are there, a first frame has been answered and its truth is known.

        patience: s, for starting processes that load their libraries and weights.
        Raises LoopBroken, or whatever `watch` raises.
        """
        # The truth, too: it numbers the episodes, and the next one is known by its number.
        self._wait(lambda: self._goal.service_is_ready() and self._reset.service_is_ready()
                   and {'action_field', 'ground_truth/objects'} <= self._newest.keys(), patience)

    def run_episode(self, goal: tuple[float, float], steps: int, progress) -> Episode:
        """
        Set the goal, (x, y) px of the model's image, start the next episode and record it.

        steps: actions to be taken; the episode has steps + 1 frames. progress(step, frame) is
        called as each frame is complete. Raises LoopBroken, or RuntimeError when a node refuses.
        """
        goals = [Goal(kind=Goal.ALL, x=goal[0], y=goal[1])]
        return Episode(goal, self.play(goals, (), steps, progress))

    def play(self, goals, later, steps: int, progress) -> tuple[Frame, ...]:
        """
        Ask for `goals`, start the next episode, ask for those to come `later`, and record it.

        goals, later: Goal messages; the later ones are about what is in view, and come when the
        first frame has been answered. steps, progress, raises: see `run_episode`.
        """
        for goal in goals:
            self._ask(goal)
        if later:
            self._hold(True)
        # Everything that arrives from the old episode from now on is of an older number.
        self._awaited, self._parts, self._order = self._episode + 1, {}, []
        self._call(self._reset, Trigger.Request(), 'sim_node', lambda: self._order)
        if later:
            # Lock-step: the planner has seen the first frame when it has answered it.
            self._wait(lambda: self._order and self._newest['action_field'] == self._order[0],
                       self._patience)
            for goal in later:
                self._ask(goal)
            self._hold(False)
        frames = []
        while len(frames) <= steps:
            self._wait(lambda: len(frames) < len(self._order) and
                       self._parts[self._order[len(frames)]].keys() >= _PARTS, self._patience)
            frames.append(_frame(self._parts[self._order[len(frames)]]))
            progress(len(frames) - 1, frames[-1])
        return tuple(frames)

    def _ask(self, goal: Goal) -> None:
        self._call(self._goal, SetGoal.Request(goal=goal), 'planner_node',
                   lambda: self._is_pursued(goal))

    def _hold(self, still: bool) -> None:
        """Let the simulator keep the answers that it gets, or apply them again."""
        self._call(self._pause, SetBool.Request(data=still), 'sim_node')

    def _call(self, client, request, node: str, happened=lambda: False) -> None:
        """
        Call a service and wait for its answer, or until what it was asked for has happened.

        The answer alone would not do: DDS may drop that to a client which the server has only
        just discovered.
        """
        future = client.call_async(request)
        self._wait(lambda: future.done() or happened(), self._patience, (node, client.srv_name))
        if future.done() and not future.result().success:
            raise RuntimeError(f'{node} refused {client.srv_name}: {future.result().message}')

    def _wait(self, condition, patience: float, awaited=None) -> None:
        """Serve callbacks until the condition holds; awaited: (node, name) to blame if not."""
        started = time.monotonic()
        while not condition():
            self.executor.spin_once(timeout_sec=0.1)
            self._watch()
            if time.monotonic() - started > patience:
                node, name = awaited or self._culprit()
                raise LoopBroken(node, f'{node} has not answered on {name} for {patience:g} s.')

    def _culprit(self) -> tuple[str, str]:
        """Return the node at which the newest frame is stuck, and the name it is awaited on."""
        for client, node in ((self._reset, 'sim_node'), (self._goal, 'planner_node')):
            if not client.service_is_ready():
                return node, client.srv_name
        if not self.count_publishers('slots'):
            return 'perception_node', 'slots'
        newest = self._newest.get('image_raw')
        for topic, node in _LOOP:
            if topic not in self._newest or self._newest[topic] != newest:
                return node, topic
        parts = self._parts.get(newest, {})
        for part, topic in (('labels', 'label_image'), ('reconstruction', 'reconstruction')):
            if newest in self._order and part not in parts:
                return 'perception_node', topic
        return 'sim_node', 'image_raw'

    def _note(self, topic: str, message) -> tuple:
        """Remember how far the topic is; return the stamp that identifies the frame."""
        stamp = (message.header.stamp.sec, message.header.stamp.nanosec)
        self._newest[topic] = stamp
        return stamp

    def _add(self, stamp: tuple, part: str, value) -> None:
        self._parts.setdefault(stamp, {})[part] = value

    def _is_pursued(self, goal) -> bool:
        if self._pursued is None or goal.kind == Goal.IMAGE:  # pictures are not published
            return False
        def said(message):  # as the message carries it
            return message.kind, message.shape, *np.float32([message.x, message.y])
        return said(self._pursued) == said(goal)

    def _take_goal(self, message):
        self._pursued = message

    def _take_transition(self, node, message):
        failed = ('configuring', 'unconfigured'), ('activating', 'inactive')
        if (message.start_state.label, message.goal_state.label) in failed:
            raise LoopBroken(node, f'{node} failed while {message.start_state.label}.')

    def _take_image(self, message):
        self._add(self._note('image_raw', message), 'image', image.to_rgb8(message))

    def _take_labels(self, message):
        self._add(self._note('label_image', message), 'labels', image.to_array(message))

    def _take_reconstruction(self, message):
        self._add(self._note('reconstruction', message), 'reconstruction', image.to_rgb8(message))

    def _take_slots(self, message):
        self._note('slots', message)
        self.model_id = message.model_id

    def _take_action(self, message):
        self._note('action_field', message)

    def _take_applied(self, message):
        stamp = self._note('applied_action_field', message)
        row, col, acceleration = action_field.read(message, message.height, message.width)
        self._add(stamp, 'arrows', (row, col, acceleration[:, 0], acceleration[:, 1]))

    def _take_objects(self, message):
        stamp = self._note('ground_truth/objects', message)
        self._episode = message.episode
        if message.episode != self._awaited or stamp in self._order:
            return  # of another episode, or a frame that was sent again
        self._order.append(stamp)
        self._add(stamp, 'objects', (np.stack([message.x, message.y], -1),
                                     np.stack([message.vx, message.vy], -1), time.monotonic()))


def _frame(parts: dict) -> Frame:
    position, velocity, moment = parts['objects']
    return Frame(position=position, velocity=velocity, image=parts['image'],
                 labels=parts['labels'], reconstruction=parts['reconstruction'],
                 arrows=parts['arrows'], time=moment)


@contextlib.contextmanager
def open_demo_node(domain: int, watch):
    """
    Join a ROS domain with a demo node, and leave it at the end of the block.

    Signals stay with the program: Ctrl-C raises KeyboardInterrupt wherever it is.
    """
    with Guest(lambda context: DemoNode(context, watch), domain) as guest:
        yield guest.node
