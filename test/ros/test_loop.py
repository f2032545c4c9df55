# SPDX-License-Identifier: Apache-2.0
"""The whole loop, each node in its own process, over DDS."""

import collections
import itertools
import time

from builtin_interfaces.msg import Time
from harness import inside, stamp_of
import numpy as np
from obai_ros.messages import action_field, image
from obai_ros.msg import (ActionField, Goal, LabelInfo, PerceptionStatus, PlannerStatus,
                          SlotBeliefs)
from obai_ros.nodes import qos
from obai_ros.nodes.overlay_node import OverlayNode
from obai_ros.srv import SetGoal
import pytest
import rclpy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger
from visualization_msgs.msg import Marker, MarkerArray

SIDE = 32
ALL = QoSProfile(depth=1000)
"""Reliable and deep enough to miss nothing."""


class Loop:
    """Simulator, perception and planner, and everything that they have said to each other."""

    def __init__(self, client, start_node, weights):
        self.client = client
        self.images = client.collect(Image, 'image_raw', ALL)
        self.slots = client.collect(SlotBeliefs, 'slots', ALL)
        self.actions = client.collect(ActionField, 'action_field', ALL)
        self.applied = client.collect(ActionField, 'applied_action_field', ALL)
        self.perception = client.collect(PerceptionStatus, 'perception_node/status', ALL)
        self.planning = client.collect(PlannerStatus, 'planner_node/status', ALL)
        self.nodes = {
            'perception_node': start_node('perception_node', checkpoint=weights),
            'planner_node': start_node('planner_node', checkpoint=weights),
            'sim_node': start_node('sim_node', image_size=SIDE, rate=0., resend_period=5.,
                                   action_timeout=60.)}

    def run(self, frames):
        """Wait until so many frames have gone round the loop."""
        self.client.until(lambda: len(self.applied) >= frames, f'{frames} frames')

    def output(self):
        return ''.join(node.output() for node in self.nodes.values())


@pytest.fixture
def loop(client, start_node, weights):
    return Loop(client, start_node, weights)


def test_lock_step_answers_each_of_50_frames_exactly_once(client, loop):
    loop.run(1)
    assert client.call(SetGoal, 'planner_node/set_goal',
                       goal=Goal(kind=Goal.ALL, x=16., y=16.)).success
    spoken = (loop.images, loop.slots, loop.actions, loop.applied)
    client.until(lambda: all(spoken), 'everyone to be heard')
    # While nodes still find each other a first image may be lost, and sent again; and they may
    # have found each other before this test had found all of them.
    first = max(stamp_of(messages[0]) for messages in spoken)
    loop.run(55)
    applied = [stamp_of(message) for message in loop.applied if stamp_of(message) > first][:50]
    assert len(applied) == 50
    assert applied == sorted(set(applied))
    client.until(lambda: loop.planning and stamp_of(loop.planning[-1]) >= applied[-1]
                 and stamp_of(loop.perception[-1]) >= applied[-1], 'the status of 50 frames')
    for messages in spoken:
        count = collections.Counter(map(stamp_of, messages))
        assert [count[stamp] for stamp in applied] == [1] * 50
    # What was applied is what was answered; and the filter saw one unbroken video.
    answered = {stamp_of(message): message for message in loop.actions}
    for message in loop.applied:
        if stamp_of(message) not in applied:
            continue
        answer = answered[stamp_of(message)]
        assert (message.row, message.col, message.ax, message.ay) == (
            answer.row, answer.col, answer.ax, answer.ay)
        assert not message.cut
    frames = {stamp_of(message): message.frame for message in loop.slots}
    start = frames[applied[0]]
    assert [frames[stamp] for stamp in applied] == list(range(start, start + 50))
    assert loop.perception[-1].dropped == loop.perception[-1].refused == 0
    assert loop.planning[-1].refused == 0
    for trouble in ('ERROR', 'Traceback', 'refused', 'taken as zero', 'without an action'):
        assert trouble not in loop.output()


def test_reset_starts_the_filter_anew_and_loses_no_frame(client, loop):
    loop.run(5)
    for episode in (1, 2):
        assert client.call(Trigger, 'sim_node/reset').success
        client.until(lambda: sum(message.cut for message in loop.applied) == episode, 'the cut')
        loop.run(len(loop.applied) + 5)
    cuts = [index for index, message in enumerate(loop.applied) if message.cut]
    frame = {stamp_of(message): message.frame for message in loop.slots}
    for cut in cuts:
        after = [frame[stamp_of(message)] for message in loop.applied[cut + 1:cut + 4]]
        assert after == [0, 1, 2]
    assert loop.nodes['perception_node'].says('starts anew: the scene was reset')
    assert 'no action for the previous image' not in loop.output()


def test_bad_messages_from_elsewhere_cost_no_frame(client, loop):
    loop.run(3)
    strange_image = Image(height=5, width=5, encoding='32FC1', step=20, data=bytes(100))
    field = action_field.write([1], [1], np.ones((1, 2)), SIDE, SIDE, ActionField())
    field.header.stamp.sec = 1
    infinite = action_field.write([1], [1], np.ones((1, 2)), SIDE, SIDE, ActionField())
    infinite.ax[0] = float('nan')
    for kind, topic, message, node, words in (
            (Image, 'image_raw', strange_image, 'perception_node', "encoding '32FC1'"),
            (SlotBeliefs, 'slots', SlotBeliefs(model_id='x'), 'planner_node', 'of model x'),
            (ActionField, 'action_field', field, 'sim_node', 'answers the image of 1.0'),
            (ActionField, 'action_field', infinite, 'sim_node', 'expected finite')):
        sender = client.heard_publisher(kind, topic)
        client.until(lambda: sender.publish(message) or loop.nodes[node].says(words), words)
        client.node.destroy_publisher(sender)
    loop.run(len(loop.applied) + 10)
    # A message from elsewhere may push an image out of a queue that is one deep; it is sent again,
    # and one that has been answered is answered with the very same beliefs.
    ours = [message for message in loop.slots if message.model_id != 'x']
    frames = [message.frame for message in ours]
    assert frames == sorted(frames) and set(frames) == set(range(frames[-1] + 1))
    first = {message.frame: message for message in reversed(ours)}
    assert all(message == first[message.frame] for message in ours)
    sent, answered = (collections.Counter(map(stamp_of, each)) for each in (loop.images, ours))
    assert all(count <= max(sent[stamp], 1) for stamp, count in answered.items())
    assert loop.perception[-1].dropped == 0


def test_perception_and_planner_may_restart_in_the_middle(client, loop, start_node, weights):
    client.set_parameter('sim_node', 'resend_period', .2)
    loop.run(3)
    for name in ('planner_node', 'perception_node'):
        assert loop.nodes[name].stop()[0] == 0
        loop.nodes[name] = start_node(name, checkpoint=weights)
        client.until(lambda: loop.nodes[name].says(r'\bactive: '), f'{name} to come back')
        loop.run(len(loop.applied) + 5)
    assert 'stepping without an action' not in loop.output()
    # A new simulator: an unrelated scene, which the filter notices by the gap.
    client.set_parameter('perception_node', 'reset_gap', .5)
    # Without a planner the last image stays unanswered: what was done to it is not known.
    assert loop.nodes['planner_node'].stop()[0] == 0
    assert loop.nodes['sim_node'].stop()[0] == 0
    loop.nodes['planner_node'] = start_node('planner_node', checkpoint=weights)
    loop.nodes['sim_node'] = start_node('sim_node', image_size=SIDE, seed=1)
    loop.run(len(loop.applied) + 5)
    assert loop.nodes['perception_node'].says('starts anew: no image was seen for')


def test_free_running_skips_frames_and_counts_them(client, start_node, weights):
    perception = start_node('perception_node', checkpoint=weights, iterations=24, max_skip=100)
    slots = client.collect(SlotBeliefs, 'slots', ALL)
    applied = client.collect(ActionField, 'applied_action_field', ALL)
    client.until(lambda: perception.says(r'\bactive: '), 'perception to become active')
    start_node('sim_node', image_size=SIDE, synchronous=False, rate=30., wait_for_agent=False)

    def moves():
        """Return by how many frames the filter and the simulator went on between two beliefs."""
        frame = {stamp_of(message): message.frame for message in applied}
        seen = [(message.frame, frame[stamp_of(message)]) for message in slots
                if stamp_of(message) in frame]
        return [(later[0] - earlier[0], later[1] - earlier[1])
                for earlier, later in zip(seen, seen[1:]) if later[0]]

    client.until(lambda: sum(ours > 1 for ours, _ in moves()) >= 5, 'skipped frames')
    assert all(ours == theirs for ours, theirs in moves())


def test_services_and_parameters_answer_while_frames_are_processed(client, loop):
    loop.run(3)
    client.set_parameter('perception_node', 'iterations', 64)
    for value in (1, 60, 2, 61):
        before = len(loop.slots)
        begin = time.monotonic()
        assert client.set_parameter('perception_node', 'iterations', value).successful
        assert client.call(SetBool, 'perception_node/enable', data=True).success
        assert time.monotonic() - begin < 5.
        client.until(lambda: len(loop.slots) > before, 'the loop to go on')


def test_overlay_is_drawn_for_those_who_listen(client, loop, start_node):
    start_node('overlay_node', scale=3)
    loop.run(1)
    assert client.call(SetGoal, 'planner_node/set_goal',
                       goal=Goal(kind=Goal.ALL, x=16., y=16.)).success
    # Nobody listens, so nobody asks perception for labels either.
    assert client.node.count_subscribers('label_image') == 0
    overlays = client.collect(Image, 'overlay_node/overlay', qos.IMAGE_IN)
    markers = client.collect(MarkerArray, 'overlay_node/markers')
    client.until(lambda: overlays and markers, 'overlay and markers')
    drawn = image.to_rgb8(overlays[-1])
    assert drawn.shape == (3 * SIDE, 3 * SIDE, 3)
    stamps = set(map(stamp_of, loop.images))
    assert all(stamp_of(overlay) in stamps for overlay in overlays)
    assert overlays[-1].header.frame_id == loop.images[-1].header.frame_id
    client.until(lambda: any(marker.ns == 'goals' for marker in markers[-1].markers), 'the goal')
    assert markers[-1].markers[0].action == Marker.DELETEALL
    assert len({(marker.ns, marker.id) for marker in markers[-1].markers}) == len(
        markers[-1].markers)


def test_the_overlay_of_a_large_image_is_the_whole_image(client, domain):
    """The test plays camera, perception and planner; only the middle square was seen."""
    images = client.publisher(Image, 'image_raw', qos.IMAGE_OUT)
    labels = client.publisher(Image, 'label_image', qos.IMAGE_OUT)
    infos = client.publisher(LabelInfo, 'label_info', qos.LATCHED)
    grey = np.full((160, 256, 3), 90, np.uint8)
    seen = np.zeros((32, 32), np.uint8)
    seen[8:16, 16:32] = 1
    infos.publish(LabelInfo(image_width=256, image_height=160, offset_x=48., scale_x=5.,
                            scale_y=5.))
    overlays = client.collect(Image, 'overlay_node/overlay', qos.IMAGE_OUT)
    with inside(OverlayNode, domain) as node:
        stamps = itertools.count(1)

        def show():
            header = Header(stamp=Time(sec=next(stamps)))
            images.publish(image.from_numpy(grey, 'rgb8', Image(header=header)))
            labels.publish(image.from_numpy(seen, '8UC1', Image(header=header)))
            rclpy.spin_once(node, timeout_sec=.05)
        # With the first images label_info may not have come yet.
        client.until(lambda: show() or any(
            hatched(image.to_rgb8(drawn)[:, :48]) for drawn in overlays), 'the overlay')
    drawn = image.to_rgb8(overlays[-1])
    assert drawn.shape == grey.shape
    changed = (drawn != 90).any(-1)
    assert changed[40:80, 128:208].all()
    changed[40:80, 128:208] = False
    assert not changed[:, 48:208].any()
    assert hatched(drawn[:, 208:])


def test_the_overlay_does_without_a_planner_that_does_not_answer(client, domain, capfd):
    images = client.publisher(Image, 'image_raw', qos.IMAGE_OUT)
    labels = client.publisher(Image, 'label_image', qos.IMAGE_OUT)
    actions = client.publisher(ActionField, 'action_field')
    overlays = client.collect(Image, 'overlay_node/overlay', qos.IMAGE_OUT)
    grey, labelled = np.full((32, 32, 3), 90, np.uint8), np.ones((32, 32), np.uint8)
    with inside(OverlayNode, domain) as node:
        client.until(lambda: rclpy.spin_once(node, timeout_sec=.05)
                     or actions.get_subscription_count(), 'the overlay')
        stamps = itertools.count(1)

        def show():
            header = Header(stamp=Time(sec=next(stamps)))
            images.publish(image.from_numpy(grey, 'rgb8', Image(header=header)))
            labels.publish(image.from_numpy(labelled, '8UC1', Image(header=header)))
            for _ in range(3):  # one callback each, and one for the timer
                rclpy.spin_once(node, timeout_sec=.05)
        client.until(lambda: show() or len(overlays) > 3, 'pictures without arrows')
    assert capfd.readouterr().err.count('drawn without arrows: nothing came on /action_field') == 1


def hatched(part):
    return 0 < (part != 90).any(-1).mean() < .5
