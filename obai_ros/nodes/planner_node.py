# SPDX-License-Identifier: Apache-2.0
"""planner_node: beliefs about objects in, action fields towards the goal out, one for each."""

import pathlib
import threading
import time

from obai_ros.messages import action_field, beliefs
from obai_ros.msg import ActionField, Goal, PlannerStatus, SlotBeliefs
from obai_ros.nodes import qos
from obai_ros.nodes.managed_node import ConfigureError, ManagedNode
from obai_ros.nodes.parameters import PLANNER
from obai_ros.nodes.resources import load_model
from obai_ros.nodes.run import run
from obai_ros.srv import SetGoal

_GOAL = {'goal', 'goal_x', 'goal_y'}
_PLANNING = ('horizon', 'velocity_weight', 'action_cost', 'max_acceleration')


class PlannerNode(ManagedNode):
    """Answers each message of beliefs with one action field."""

    def __init__(self):
        self._lock = threading.Lock()  # around the agent and the newest beliefs
        self._agent = None
        self._newest = self._reply = None
        self._answered = 0
        super().__init__('planner_node', PLANNER)
        self._options = {'qos_overriding_options': qos.overridable()}
        self._status = self.create_publisher(
            PlannerStatus, '~/status', qos.DATA, **self._options)
        self._goal_state = self.create_publisher(
            Goal, 'goal_state', qos.LATCHED, **self._options)
        self.create_service(SetGoal, '~/set_goal', self._serve_goal)
        self.create_subscription(Goal, 'goal', self._receive_goal, qos.DATA, **self._options)

    def load(self):
        # Here and not above: torch takes seconds to import, and a node should answer at once.
        import torch
        from obai_ros.nodes.agent import Agent
        torch.set_num_threads(1)  # matrices of a few dozen rows: threads would only wait
        path, checkpoint = load_model(self.settings.checkpoint)
        bank = pathlib.Path(self.settings.goal_bank or
                            path.with_suffix('.goals.safetensors')).expanduser()
        try:
            agent = Agent(checkpoint, bank, self._planner_config({}), self.settings.spread)
        except ValueError as error:
            raise ConfigureError(f'{error}.') from error
        self._answered = 0
        self._newest = self._reply = None
        self._agent = agent
        if agent.bankless:
            self.get_logger().warning(f'goals will be refused: {agent.bankless}')
        self.get_logger().info(f'configured: model {agent.model_id}')
        goal = self._goal_of_parameters({})
        if goal.kind == Goal.NONE:
            self._goal_state.publish(goal)
        elif refusal := self._set_goal(goal):
            self.get_logger().error(f'the goal of the parameters is refused: {refusal}')

    def start(self):
        self._actions = self.create_publisher(
            ActionField, 'action_field', qos.DATA, **self._options)
        self._slots = self.create_subscription(
            SlotBeliefs, 'slots', self._receive_slots, qos.DATA,
            **self._options)
        self.get_logger().info(f'active: answering {self._slots.topic_name}')

    def stop(self):
        self.destroy_subscription(self._slots)
        with self._lock:  # the beliefs in work are answered first
            self.destroy_publisher(self._actions)

    def unload(self):
        with self._lock:
            self._agent = None

    def check_settings(self, changed):
        if self._agent is None or not _GOAL & changed.keys():
            return ''
        return self._refusal(self._goal_of_parameters(changed))

    def apply_settings(self, changed):
        if self._agent is None:
            return
        with self._lock:
            if changed.keys() & set(_PLANNING):
                self._agent.configure(self._planner_config(changed))
            if 'spread' in changed:
                self._agent.pursuit.set_spread(changed['spread'])
        if _GOAL & changed.keys():
            self._set_goal(self._goal_of_parameters({}))

    def _receive_slots(self, message):
        begin = time.monotonic()
        with self._lock:
            if not self.active:
                return
            if self._reply is not None and message.header == self._reply.header:
                # Sent again because somebody has had no answer.
                self._actions.publish(self._reply)
                return
            try:
                self._agent.require_own(message.model_id, message.latent_size)
                state = beliefs.read(message)
            except ValueError as error:
                self.complaints.add('slots', f'beliefs refused: {error}')
                return
            if message.frame == 0 and self._agent.renumbered():
                self._say_that_the_object_is_lost()
            answer = self._agent.answer(state)
            self._newest = state
            self._reply = ActionField(header=message.header, frame=message.frame)
            action_field.write(answer.row, answer.col, answer.acceleration, message.height,
                               message.width, self._reply)
            self._actions.publish(self._reply)
            self._answered += 1
            self._report(message.header, answer, time.monotonic() - begin)

    def _say_that_the_object_is_lost(self):
        self.get_logger().warning(
            'the filter started anew, so the object of the goal is no longer known; there is no '
            'goal now, set it again')
        self._goal_state.publish(Goal())

    def _report(self, header, answer, duration):
        message = PlannerStatus(
            header=header, feef=answer.feef.tolist(), acted=answer.acted.tolist(),
            ax=answer.slot_acceleration[:, 0].tolist(), ay=answer.slot_acceleration[:, 1].tolist(),
            plan_s=duration, answered=self._answered, refused=self.complaints.count('slots'),
            goal=_to_message(self._agent.pursuit.target))
        self._status.publish(message)

    def _serve_goal(self, request, response):
        response.message = self._set_goal(request.goal)
        response.success = not response.message
        response.message = response.message or _in_words(request.goal)
        return response

    def _receive_goal(self, message):
        refusal = self._set_goal(message)
        if refusal:
            self.complaints.add('goal', f'goal refused: {refusal}')

    def _set_goal(self, goal):
        """Pursue a goal from now on; return why not, or ''."""
        with self._lock:
            if self._agent is None:
                return 'the node is not configured, so it has no model to plan with'
            refusal = self._refusal(goal, commit=True)
        if not refusal:
            self._goal_state.publish(goal)
            self.get_logger().info(f'goal: {_in_words(goal)}')
        return refusal

    def _refusal(self, goal, commit=False):
        from obai_ros.nodes.pursuit import Target
        from obai_ros.planning.preference import GoalError
        target = Target(goal.kind, goal.x, goal.y, goal.u, goal.v, goal.spread)
        try:
            if commit:
                self._agent.pursuit.choose(target, self._newest)
            else:
                self._agent.pursuit.prefer(target)
        except GoalError as error:
            return str(error)
        return ''

    def _goal_of_parameters(self, changed):
        kind = changed.get('goal', self.settings.goal)
        return Goal(kind=Goal.ALL if kind == 'all' else Goal.NONE,
                    x=changed.get('goal_x', self.settings.goal_x),
                    y=changed.get('goal_y', self.settings.goal_y))

    def _planner_config(self, changed):
        from obai_ros.planning.planner import PlannerConfig
        return PlannerConfig(**{
            name: changed.get(name, getattr(self.settings, name)) for name in _PLANNING})


def _to_message(target):
    return Goal(kind=target.kind, x=target.x, y=target.y, u=target.u, v=target.v,
                spread=target.spread)


def _in_words(goal):
    if goal.kind == Goal.NONE:
        return 'nothing is pushed'
    what = 'all objects' if goal.kind == Goal.ALL else f'the object at ({goal.u:g}, {goal.v:g})'
    return f'{what} to ({goal.x:g}, {goal.y:g}) px'


def main(args=None):
    return run(PlannerNode, args)
