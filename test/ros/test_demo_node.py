# SPDX-License-Identifier: Apache-2.0
"""Demo node: what it records of a loop, and whom it blames when the loop stands still.

The loop is played by one small node in this process, which is spun while the demo node waits, so
that nothing depends on timing.
"""
from array import array

import numpy as np
from obai_ros.demo.domain import claim_domain
import pytest

rclpy = pytest.importorskip('rclpy')

from lifecycle_msgs.msg import State, TransitionEvent  # noqa: E402
from obai_ros.msg import ActionField, Goal, ObjectStates, SlotBeliefs  # noqa: E402
from obai_ros.nodes import qos  # noqa: E402
from obai_ros.nodes.demo_node import LoopBroken, open_demo_node  # noqa: E402
from obai_ros.srv import SetGoal  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.task import Future  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

SIDE = 8


class FakeLoop:
    """All three nodes of the loop; `mute` are the topics on which it says nothing."""

    def __init__(self, context, mute=(), services=('sim_node/reset', 'planner_node/set_goal')):
        self.mute = set(mute)
        self.goals = []
        self.refusal = ''
        self.frame, self.episode = 0, 0
        self.node = rclpy.create_node('fake_loop', context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.publish = {
            topic: self.node.create_publisher(kind, topic, profile)
            for topic, kind, profile in (
                ('image_raw', Image, qos.IMAGE_OUT), ('label_image', Image, qos.IMAGE_OUT),
                ('reconstruction', Image, qos.IMAGE_OUT), ('slots', SlotBeliefs, qos.DATA),
                ('action_field', ActionField, qos.DATA),
                ('applied_action_field', ActionField, qos.DATA),
                ('ground_truth/objects', ObjectStates, qos.DATA),
                ('goal_state', Goal, qos.LATCHED))}
        if 'sim_node/reset' in services:
            self.node.create_service(Trigger, 'sim_node/reset', self._reset)
        if 'planner_node/set_goal' in services:
            self.node.create_service(SetGoal, 'planner_node/set_goal', self._set_goal)
        self.node.create_timer(0.05, self._step)

    def _reset(self, request, response):
        self.episode += 1
        response.success = True
        return response

    def _set_goal(self, request, response):
        self.goals.append((request.goal.kind, request.goal.x, request.goal.y))
        response.success, response.message = not self.refusal, self.refusal
        if response.success:
            self.publish['goal_state'].publish(request.goal)
        return response

    def _step(self):
        """Publish everything of one frame, in an order that no real loop has."""
        messages = {'action_field': self._action(), 'applied_action_field': self._action(),
                    'slots': SlotBeliefs(model_id='weights'), 'label_image': self._image('8UC1'),
                    'reconstruction': self._image('rgb8'),
                    'ground_truth/objects': ObjectStates(
                        frame=self.frame, episode=self.episode, x=[1.0 * self.frame, 2.0],
                        y=[3.0, 4.0], vx=[1.0, 0.0], vy=[0.0, 0.0]),
                    'image_raw': self._image('rgb8')}
        for topic, message in messages.items():
            message.header.stamp.sec = 1 + self.frame
            if topic not in self.mute:
                self.publish[topic].publish(message)
        # A loop that is broken does not go on; the frame is sent again.
        if not self.mute:
            self.frame += 1

    def _image(self, encoding):
        channels = 3 if encoding == 'rgb8' else 1
        return Image(height=SIDE, width=SIDE, encoding=encoding, step=SIDE * channels,
                     data=array('B', [self.frame % 256] * (SIDE * SIDE * channels)))

    def _action(self):
        return ActionField(height=SIDE, width=SIDE, row=[1], col=[2], ax=[0.5],
                           ay=[float(self.frame)])


@pytest.fixture
def demo():
    """Return a function that makes a fake loop and a demo node, (loop, node)."""
    with claim_domain() as domain:
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=domain.number)
        opened = []

        def make(**options):
            loop = FakeLoop(context, **options)
            manager = open_demo_node(
                domain.number, lambda: loop.executor.spin_once(timeout_sec=0.0))
            opened.append((loop, manager))
            return loop, manager.__enter__()
        yield make
        for loop, manager in opened:
            manager.__exit__(None, None, None)
            loop.executor.shutdown()
            loop.node.destroy_node()
        context.try_shutdown()


def test_episodes_are_recorded_in_order_and_joined_by_stamp(demo):
    loop, node = demo()
    node.wait_for_loop(60.0)
    assert node.model_id == 'weights'
    steps = []
    for number, goal in enumerate(((5.0, 6.0), (1.5, 2.5)), start=1):
        episode = node.run_episode(goal, 6, lambda step, frame: steps.append(step))
        assert episode.goal == goal and episode.steps == 6
        assert loop.goals[-1] == (1, *goal)
        first = round(float(episode.frames[0].position[0, 0]))
        for offset, frame in enumerate(episode.frames):
            assert frame.position.tolist() == [[first + offset, 3.0], [2.0, 4.0]]
            assert frame.velocity.tolist() == [[1.0, 0.0], [0.0, 0.0]]
            assert frame.image.shape == frame.reconstruction.shape == (SIDE, SIDE, 3)
            assert frame.labels.shape == (SIDE, SIDE)
            for picture in (frame.image, frame.reconstruction, frame.labels):
                assert (picture == first + offset).all()
            assert [part.tolist() for part in frame.arrows] == [[1], [2], [0.5], [first + offset]]
        assert np.all(np.diff([frame.time for frame in episode.frames]) >= 0)
        assert loop.episode == number
    assert steps == [*range(7), *range(7)]


@pytest.mark.parametrize('mute, culprit, topic', [
    (['image_raw'], 'sim_node', 'image_raw'),
    (['slots', 'action_field', 'applied_action_field'], 'perception_node', 'slots'),
    (['action_field', 'applied_action_field'], 'planner_node', 'action_field'),
])
def test_a_loop_that_does_not_start_is_blamed_on_the_right_node(demo, mute, culprit, topic):
    loop, node = demo(mute=mute)
    heard = set(loop.publish) - loop.mute - {'goal_state'}
    node._wait(lambda: heard <= node._newest.keys() and node._goal.service_is_ready()
               and node._reset.service_is_ready(), 60.0)
    with pytest.raises(LoopBroken, match=f'{culprit} has not answered on {topic} for 0.5 s'
                       ) as caught:
        node._wait(lambda: False, 0.5)
    assert caught.value.culprit == culprit


@pytest.mark.parametrize('missing, culprit', [('sim_node/reset', 'sim_node'),
                                              ('planner_node/set_goal', 'planner_node')])
def test_a_node_without_its_service_is_named(demo, missing, culprit):
    there = {'sim_node/reset', 'planner_node/set_goal'} - {missing}
    _, node = demo(services=there)
    with pytest.raises(LoopBroken, match=missing) as caught:
        node.wait_for_loop(1.0)
    assert caught.value.culprit == culprit


def test_a_refused_goal_is_an_error_with_the_reason(demo):
    loop, node = demo()
    node.wait_for_loop(60.0)
    loop.refusal = 'no goal bank'
    with pytest.raises(RuntimeError, match='planner_node refused .*set_goal: no goal bank'):
        node.run_episode((1.0, 2.0), 3, lambda step, frame: None)


def test_it_waits_for_the_truth_that_numbers_the_episodes(demo):
    loop, node = demo(mute=['ground_truth/objects'])
    node._wait(lambda: {'action_field', 'image_raw'} <= node._newest.keys(), 60.0)
    loop.episode = 7
    with pytest.raises(LoopBroken):
        node.wait_for_loop(0.5)
    loop.mute.clear()
    node.wait_for_loop(60.0)
    assert node.run_episode((5.0, 6.0), 2, lambda step, frame: None).steps == 2
    assert loop.episode == 8


def test_an_answer_that_gets_lost_stops_nothing(demo):
    loop, node = demo()
    node.wait_for_loop(60.0)
    for client in (node._goal, node._reset):
        def call(request, ask=client.call_async):
            ask(request)
            return Future()
        client.call_async = call
    assert node.run_episode((5.0, 0.1), 2, lambda step, frame: None).steps == 2
    assert loop.goals == [(1, 5.0, pytest.approx(0.1))] and loop.episode == 1


def test_what_watch_raises_ends_the_wait(demo):
    class Ended(Exception):
        pass

    _, node = demo()
    node.wait_for_loop(60.0)

    def watch():
        raise Ended
    node._watch = watch
    with pytest.raises(Ended):
        node.run_episode((1.0, 2.0), 3, lambda step, frame: None)


def test_a_node_that_cannot_be_configured_is_named_at_once(demo):
    loop, node = demo(mute=['slots', 'action_field'])
    event = TransitionEvent(start_state=State(label='configuring'),
                            goal_state=State(label='unconfigured'))
    topic = loop.node.create_publisher(
        TransitionEvent, 'perception_node/transition_event', qos.DATA)
    loop.node.create_timer(0.05, lambda: topic.publish(event))
    with pytest.raises(LoopBroken, match='perception_node failed while configuring') as caught:
        node.wait_for_loop(60.0)
    assert caught.value.culprit == 'perception_node'
