# SPDX-License-Identifier: Apache-2.0
"""planner_node: beliefs about objects in, action fields towards the goal out, one for each."""

import threading
import time

from obai_ros.camera.fit import fit
from obai_ros.messages import action_field, beliefs, image
from obai_ros.msg import ActionField, Goal, PlannerStatus, SlotBeliefs
from obai_ros.nodes import qos
from obai_ros.nodes.managed_node import ConfigureError, ManagedNode
from obai_ros.nodes.resources import load_model, locate
from obai_ros.nodes.run import run
from obai_ros.nodes.side_work import SideWork
from obai_ros.nodes.succession import Succession, succession
from obai_ros.nodes.tables import PLANNER
from obai_ros.srv import SetGoal

_GOAL = {'goal', 'goal_x', 'goal_y'}
_PLANNING = ('horizon', 'velocity_weight', 'action_cost', 'max_acceleration', 'delay')


class PlannerNode(ManagedNode):
    """Answers each message of beliefs with one action field."""

    def __init__(self):
        self._lock = threading.Lock()  # around the agent and the newest beliefs
        self._agent = None
        self._newest = self._reply = None
        self._missed = False  # whether beliefs may have gone by since the last reply
        self._answered = 0
        self._words = ''
        self._side = None
        super().__init__('planner_node', PLANNER)
        self._options = {'qos_overriding_options': qos.overridable()}
        self._status = self.create_publisher(
            PlannerStatus, '~/status', qos.DATA, **self._options)
        self._goal_state = self.create_publisher(
            Goal, 'goal_state', qos.LATCHED, **self._options)
        # Pictures take long to look at; beliefs are answered meanwhile.
        self._side = SideWork(self)
        self.create_service(SetGoal, '~/set_goal', self._serve_goal,
                            callback_group=self._side.group)
        self.create_subscription(Goal, 'goal', self._receive_goal, qos.DATA,
                                 callback_group=self._side.group, **self._options)

    def load(self):
        # Here and not above: torch takes seconds to import, and a node should answer at once.
        import torch
        from obai_ros.nodes.agent import Agent
        torch.set_num_threads(1)  # matrices of a few dozen rows: threads would only wait
        path, checkpoint = load_model(self.settings.checkpoint)
        bank = self._bank_path(path)
        try:
            agent = Agent(checkpoint, bank, self._planner_config({}), self.settings.spread)
        except ValueError as error:
            raise ConfigureError(f'{error}.') from error
        goal = self._goal_of_parameters({})
        if refusal := self._refusal(agent, {'goal': self.settings.goal}):
            raise ConfigureError(f'the goal of the parameters is refused: {refusal}. Correct '
                                 'goal, goal_x, goal_y or spread.')
        self._answered = 0
        self._newest, self._reply, self._missed = None, None, False
        self._agent = agent
        if agent.bankless:
            self.get_logger().warning(f'goals will be refused: {agent.bankless}')
        self.get_logger().info(f'configured: model {agent.model_id}')
        if goal.kind == Goal.NONE:
            self._goal_state.publish(goal)
        else:
            self._pursue(goal)

    def _bank_path(self, weights):
        """Return the path of the goal bank that was named, or of the one beside the weights."""
        if not self.settings.goal_bank:
            return weights.with_suffix('.goals.safetensors')
        path = locate(self.settings.goal_bank)
        if not path.is_file():
            raise ConfigureError(
                f'there is no goal bank {path}. Set the parameter goal_bank to one that `obai '
                "learn-goals` has made, or to '' for the one beside the weights.")
        return path

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
            # Who asks for the object "now at" a place does not mean where it was then.
            self._newest = None
            self._missed = True

    def destroy_node(self):
        if self._side is not None:  # a parameter may have been none to start with
            self._side.close()
        super().destroy_node()

    def unload(self):
        with self._lock:
            self._agent = None

    def check_settings(self, changed):
        return '' if self._agent is None else self._refusal(self._agent, changed)

    def _refusal(self, agent, changed):
        """Return why an agent has to refuse these new values, '' if it accepts them."""
        from obai_ros.nodes.goal_messages import read
        from obai_ros.planning.preference import GoalError
        spread = changed.get('spread', self.settings.spread)
        try:
            if 'spread' in changed:
                agent.pursuit.check_spread(spread)
            if _GOAL & changed.keys():
                agent.pursuit.check(read(self._goal_of_parameters(changed)), spread)
        except GoalError as error:
            return str(error)
        return ''

    def apply_settings(self, changed):
        if self._agent is None:
            return
        with self._lock:
            if changed.keys() & set(_PLANNING):
                self._agent.configure(self._planner_config(changed))
            if 'spread' in changed:
                self._agent.pursuit.set_spread(changed['spread'])
        # A place without a kind of goal is for later; a goal set by service or topic stays.
        if 'goal' in changed or (_GOAL & changed.keys() and self.settings.goal != 'none'):
            self._pursue(self._goal_of_parameters({}))

    def _receive_slots(self, message):
        begin = time.monotonic()
        with self._lock:
            if not self.active:
                return
            try:
                self._agent.require_own(message.model_id, message.latent_size)
                state = beliefs.read(message)
            except ValueError as error:
                self.complaints.add('slots', f'beliefs refused: {error}')
                return
            what = succession(message, self._reply, self._missed)
            if what == Succession.AGAIN:
                self._actions.publish(self._reply)
                return
            if what == Succession.PAST:
                self.complaints.add('slots', 'beliefs refused: they are older than those that '
                                    'were answered last, and the filter did not start anew')
                return
            if what == Succession.ANEW:
                self._begin_anew('beliefs were missed while the node was inactive'
                                 if self._missed else 'the filter started anew')
            reply = ActionField(header=message.header, frame=message.frame)
            try:
                answer = self._agent.answer(state)
                action_field.write(answer.row, answer.col, answer.acceleration, message.height,
                                   message.width, reply)
            except (ValueError, ArithmeticError, RuntimeError) as error:
                self.complaints.add('slots', 'beliefs refused: no action follows from them '
                                    f'({error}); objects are followed anew from the next ones')
                self._begin_anew('beliefs made no sense')
                return
            self._announce('so many others have come since it was seen',
                           self._agent.pursuit.give_up())
            self._newest, self._reply, self._missed = state, reply, False
            self._actions.publish(reply)
            self._answered += 1
            self._report(message.header, answer, time.monotonic() - begin)

    def _begin_anew(self, reason):
        """Follow objects anew; say so if the goal was for one of them."""
        self._announce(reason, self._agent.begin_anew())

    def _announce(self, reason, lost):
        """Say that goals for one object have ended, if any have."""
        if not lost:
            return
        goal = self._goal_in_force()
        rest = 'there is no goal now' if goal.kind == Goal.NONE else 'other goals stay in force'
        self.get_logger().warning(
            f'{reason}, so the object of the goal is no longer known; {rest}, set it again')
        self._goal_state.publish(goal)

    def _report(self, header, answer, duration):
        message = PlannerStatus(
            header=header, feef=answer.feef.tolist(), acted=answer.acted.tolist(),
            ax=answer.slot_acceleration[:, 0].tolist(), ay=answer.slot_acceleration[:, 1].tolist(),
            goal_x=answer.place[:, 0].tolist(), goal_y=answer.place[:, 1].tolist(),
            plan_s=duration, answered=self._answered, refused=self.complaints.count('slots'),
            goal=self._goal_in_force())
        self._status.publish(message)

    async def _serve_goal(self, request, response):
        refusal, words = await self._take_goal(request.goal)
        response.success = not refusal
        response.message = refusal or words
        return response

    async def _receive_goal(self, message):
        refusal, _ = await self._take_goal(message)
        if refusal:
            self.complaints.add('goal', f'goal refused: {refusal}')

    async def _take_goal(self, message):
        """Pursue a goal from now on; return why not, or '', and in words what it is."""
        agent, scene = self._agent, None
        if agent is not None and message.kind == Goal.IMAGE and message.image.data:
            try:
                picture = self._on_the_grid(image.to_rgb8(message.image), agent.size)
            except ValueError as error:
                return f'the goal image is refused: {error}', ''
            scene = await self._side.do(agent.look, picture)
            if agent is not self._agent:
                return 'the node was configured anew while it looked at the goal image', ''
        return self._pursue(message, scene), self._words

    def _on_the_grid(self, picture, size):
        height, width = picture.shape[:2]
        return fit(self.settings.resize, width, height, size).picture_to_grid(picture)

    def _pursue(self, message, scene=None):
        """Pursue a goal from now on; return why not, or ''."""
        from obai_ros.nodes import goal_messages
        from obai_ros.nodes.agent import see
        from obai_ros.planning.preference import GoalError
        goal = goal_messages.read(message, scene)
        with self._lock:
            if self._agent is None:
                return 'the node is not configured, so it has no model to plan with'
            try:
                self._agent.pursuit.choose(goal, self._newest and see(self._newest))
            except GoalError as error:
                return str(error)
        self._goal_state.publish(self._goal_in_force())
        self._words = goal_messages.in_words(goal)
        self.get_logger().info(f'goal: {self._words}')
        return ''

    def _goal_in_force(self):
        from obai_ros.nodes.goal_messages import write
        return write(self._agent.pursuit.goal)

    def _goal_of_parameters(self, changed):
        kind = changed.get('goal', self.settings.goal)
        return Goal(kind=Goal.ALL if kind == 'all' else Goal.NONE,
                    x=changed.get('goal_x', self.settings.goal_x),
                    y=changed.get('goal_y', self.settings.goal_y))

    def _planner_config(self, changed):
        from obai_ros.planning.planner import PlannerConfig
        return PlannerConfig(**{
            name: changed.get(name, getattr(self.settings, name)) for name in _PLANNING})


def main(args=None):
    return run(PlannerNode, args)
