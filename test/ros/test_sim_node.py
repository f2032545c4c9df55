# SPDX-License-Identifier: Apache-2.0
"""sim_node as a process, over DDS: lock-step, free-running, services, and what it refuses."""

import math
import signal
import time

from builtin_interfaces.msg import Time
from harness import stamp_of
import numpy as np
from obai_ros.environment.scene import SceneConfig
from obai_ros.messages import action_field, image
from obai_ros.msg import ActionField, ObjectStates
from obai_ros.nodes.world import NO_ACTION, World
import pytest
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

ALL_IMAGES = QoSProfile(depth=100)


class Agent:
    """Receives what the simulator publishes; answers each new image with what `act` returns."""

    def __init__(self, client, act=None):
        self.client = client
        self.act = act
        self.images = []
        self.applied = client.collect(ActionField, 'applied_action_field')
        self.objects = client.collect(ObjectStates, 'ground_truth/objects')
        self.labels = client.collect(Image, 'ground_truth/label_image', ALL_IMAGES)
        self.infos = client.collect(CameraInfo, 'camera_info', ALL_IMAGES)
        self.actions = client.publisher(ActionField, 'action_field')
        self._answered = set()
        # Last, because the simulator begins when it has found this one, and the others by then.
        client.node.create_subscription(Image, 'image_raw', self._on_image, ALL_IMAGES)

    def stamps(self):
        """Return the stamps of the images, each once, in the order of their arrival."""
        return list(dict.fromkeys(map(stamp_of, self.images)))

    def image(self, stamp):
        return next(image.to_rgb8(m) for m in self.images if stamp_of(m) == stamp)

    def answer(self, to, points=NO_ACTION, size=64, **fields):
        message = ActionField(header=to.header, **fields)
        self.actions.publish(action_field.write(*points, size, size, message))

    def await_images(self, count):
        self.client.until(lambda: len(self.stamps()) >= count, f'{count} images')

    def await_applied(self, count):
        self.client.until(lambda: len(self.applied) >= count, f'{count} applied actions')

    def _on_image(self, message):
        self.images.append(message)
        stamp = stamp_of(message)
        if self.act is not None and stamp not in self._answered:
            self._answered.add(stamp)
            self.answer(message, self.act(len(self._answered) - 1))


def push(frame):
    """Return points that push all over the image, differently for each frame."""
    row, col = (index.ravel() for index in np.mgrid[0:64:8, 0:64:8])
    way = np.array([math.sin(frame), math.cos(frame)], np.float32)
    return row, col, np.repeat(way[None], len(row), 0)


def test_lock_step_answers_every_frame_exactly_once(start_node, client):
    start_node('sim_node', seed=5, rate=0.)
    agent = Agent(client, push)
    agent.await_images(50)
    agent.await_applied(49)
    client.until(lambda: min(len(agent.objects), len(agent.labels)) >= 50, 'the ground truth')
    stamps = agent.stamps()
    assert stamps == sorted(set(stamps))
    assert [stamp_of(m) for m in agent.applied][:49] == stamps[:49]
    assert [m.frame for m in agent.applied][:49] == list(range(49))
    assert [stamp_of(m) for m in agent.objects][:50] == stamps[:50]
    assert [stamp_of(m) for m in agent.labels][:50] == stamps[:50]
    assert not any(m.cut for m in agent.applied)
    for frame, message in enumerate(agent.applied[:49]):
        for applied, meant in zip(action_field.read(message, 64, 64), push(frame)):
            np.testing.assert_array_equal(applied, meant)

    # the same world without ROS shows the same pictures
    world = World(SceneConfig(), seed=5)
    for frame in range(50):
        np.testing.assert_array_equal(agent.image(stamps[frame]), world.image)
        np.testing.assert_array_equal(image.to_array(agent.labels[frame]), world.labels)
        truth, message = world.objects(), agent.objects[frame]
        np.testing.assert_allclose(np.stack([message.x, message.y], -1), truth['position'])
        np.testing.assert_allclose(np.stack([message.vx, message.vy], -1), truth['velocity'])
        assert list(message.visible_pixels) == truth['visible_pixels'].tolist()
        assert list(message.shape) == truth['shape']
        world.advance(*push(frame))


def test_an_image_is_sent_again_until_it_is_answered(start_node, client):
    sim = start_node('sim_node', resend_period=.1, action_timeout=60.)
    agent = Agent(client)
    client.until(lambda: len(agent.images) >= 4, 'the image four times')
    assert len(agent.stamps()) == 1 and not agent.applied
    first = agent.images[0]
    agent.answer(first)
    agent.await_images(2)
    assert len(agent.applied) == 1
    agent.answer(first)  # who is asked twice may answer twice
    agent.answer(agent.images[-1])
    agent.await_images(3)
    assert len(agent.applied) == 2
    assert not sim.says('refused')


def test_without_an_answer_it_steps_without_an_action(start_node, client):
    sim = start_node('sim_node', resend_period=60., action_timeout=.2)
    agent = Agent(client)
    agent.await_images(3)
    agent.await_applied(2)
    assert all(len(m.row) == 0 for m in agent.applied)
    assert 'within 0.2 s (action_timeout): stepping without an action' in sim.output()
    assert sim.output().count('stepping without an action') == 1


def test_it_waits_for_an_agent_and_says_so(start_node, client):
    sim = start_node('sim_node')
    images = client.collect(Image, 'image_raw', ALL_IMAGES)
    begin = time.monotonic()
    client.until(lambda: 'nobody publishes /action_field' in sim.output(), 'the explanation')
    assert time.monotonic() - begin > 2. and images == []
    client.publisher(ActionField, 'action_field')
    client.until(lambda: images, 'the first image')


def set_fields(**fields):
    """Return what spoils an action field in this way."""
    def spoil(message):
        for name, value in fields.items():
            setattr(message, name, value)
    return spoil


BAD_ACTIONS = {
    'acceleration (nan, 0.0), expected finite': set_fields(ax=[math.nan], ay=[0.]),
    'grid of 32x64 px, expected 64x64': set_fields(height=32),
    'of lengths 1, 1, 2, 1, expected four of the same length': set_fields(ax=[1., 2.]),
    'row 64, col 3, expected 0 .. 63': set_fields(row=[64]),
    'answers the image of 0.000000007, expected': set_fields(header=Header(stamp=Time(nanosec=7))),
}


def test_bad_actions_are_refused_once_each_in_words_and_nothing_is_lost(start_node, client):
    sim = start_node('sim_node', rate=0., resend_period=60., action_timeout=60.)
    agent = Agent(client)
    agent.await_images(1)
    points = ([2], [3], [[1., 0.]])
    for complaint, spoil in BAD_ACTIONS.items():
        message = ActionField(header=agent.images[0].header)
        action_field.write(*points, 64, 64, message)
        spoil(message)
        for _ in range(3):
            agent.actions.publish(message)
        client.until(lambda: complaint in sim.output(), f'"{complaint}" in the log')
    assert agent.applied == [] and len(agent.stamps()) == 1
    agent.answer(agent.images[0], points)
    agent.await_images(2)
    agent.await_applied(1)
    assert [stamp_of(m) for m in agent.applied] == agent.stamps()[:1]
    assert sim.output().count('refused:') == len(BAD_ACTIONS)


def test_an_action_that_comes_twice_acts_once(start_node, client):
    sim = start_node('sim_node', rate=0., resend_period=60., action_timeout=60.)
    agent = Agent(client)
    agent.await_images(1)
    for _ in range(2):
        agent.answer(agent.images[0], push(0))
    agent.await_images(2)
    client.until(lambda: 'late, twice, or from elsewhere' in sim.output(), 'the refusal')
    assert len(agent.applied) == 1 and len(agent.stamps()) == 2


def test_reset_cuts_and_begins_another_episode(start_node, client):
    sim = start_node('sim_node', rate=0., resend_period=60., action_timeout=60., seed=3)
    agent = Agent(client)
    agent.await_images(1)
    response = client.call(Trigger, 'sim_node/reset')
    assert response.success and response.message == 'episode 1 has begun'
    agent.await_images(2)
    agent.await_applied(1)
    assert [(stamp_of(m), m.cut) for m in agent.applied] == [(agent.stamps()[0], True)]
    client.until(lambda: len(agent.objects) >= 2, 'the objects of both episodes')
    assert [m.episode for m in agent.objects] == [0, 1]
    world = World(SceneConfig(), seed=3)
    world.begin()
    np.testing.assert_array_equal(agent.image(agent.stamps()[1]), world.image)

    agent.answer(agent.images[0])  # for the image of the episode before: left aside
    agent.answer(agent.images[-1])
    agent.await_images(3)
    agent.await_applied(2)
    assert len(agent.applied) == 2 and not agent.applied[1].cut
    assert 'refused' not in sim.output()


def test_episodes_end_by_themselves(start_node, client):
    start_node('sim_node', rate=0., episode_steps=3)
    agent = Agent(client, push)
    agent.await_images(7)
    agent.await_applied(6)
    client.until(lambda: len(agent.objects) >= 7, 'the objects of 7 images')
    assert [m.cut for m in agent.applied[:6]] == [False, False, True] * 2
    assert [m.episode for m in agent.objects[:7]] == [0, 0, 0, 1, 1, 1, 2]


def test_a_scene_that_all_objects_have_left_is_told_of_once(start_node, client):
    sim = start_node('sim_node', rate=0., velocity_sd=200.)
    ending = start_node('sim_node', {'__ns': '/ending'}, episode_steps=15, wait_for_agent=False,
                        synchronous=False, rate=50., velocity_sd=200.)
    agent = Agent(client, lambda frame: NO_ACTION)
    agent.await_images(20)
    said = 'no object is visible any more'
    client.until(lambda: sim.says(said), 'the word')
    assert sim.says('`obai reset`.*episode_steps')
    assert client.call(Trigger, 'sim_node/reset').success
    client.until(lambda: sim.output().count(said) == 2, 'the word of the next scene')
    agent.await_images(len(agent.stamps()) + 20)
    assert sim.output().count(said) == 2
    later = client.collect(ObjectStates, '/ending/ground_truth/objects')
    client.until(lambda: any(not any(m.visible_pixels) for m in later), 'an empty image')
    assert not ending.says(said)


def test_paused_it_steps_only_when_told(start_node, client):
    start_node('sim_node', rate=0., resend_period=.1, action_timeout=.3)
    agent = Agent(client)
    agent.await_images(1)
    assert client.call(SetBool, 'sim_node/pause', data=True).success
    before = len(agent.stamps())
    agent.answer(agent.images[-1], push(0))
    client.during(1.)
    assert len(agent.stamps()) == before

    assert 'with the action that waited' in client.call(Trigger, 'sim_node/step').message
    agent.await_images(before + 1)
    agent.await_applied(before)
    assert len(agent.applied[-1].row) == 64
    assert 'without an action' in client.call(Trigger, 'sim_node/step').message
    agent.await_images(before + 2)
    agent.await_applied(before + 1)
    assert len(agent.applied[-1].row) == 0

    agent.answer(agent.images[-1], push(1))
    client.during(.2)
    assert client.call(SetBool, 'sim_node/pause', data=False).success
    agent.await_images(before + 3)


def test_free_running_goes_on_without_answers_and_takes_the_latest_action(start_node, client):
    start_node('sim_node', synchronous=False, rate=20.)
    agent = Agent(client)
    agent.await_images(5)
    assert all(len(m.row) == 0 for m in agent.applied)
    agent.answer(agent.images[-1], push(0))
    client.until(lambda: any(len(m.row) for m in agent.applied), 'the action to be applied')
    count = len(agent.stamps())
    agent.await_images(count + 5)
    assert sum(len(m.row) > 0 for m in agent.applied) == 1
    assert [stamp_of(m) for m in agent.applied[:count]] == agent.stamps()[:count]
    gaps = np.diff(agent.stamps()) / 1e9
    assert np.median(gaps) == pytest.approx(.05, rel=.3)


def test_the_rate_can_change_while_a_step_waits_for_its_turn(start_node, client):
    sim = start_node('sim_node', rate=.001, resend_period=60.)
    agent = Agent(client)
    agent.await_images(1)
    for _ in range(2):
        agent.answer(agent.images[0])
    client.until(lambda: sim.says('the present image has been answered'), 'the second action')
    assert client.set_parameter('sim_node', 'rate', 0.).successful
    client.until(lambda: len(agent.stamps()) == 2, 'the next image', timeout=20)


def test_camera_info_is_a_valid_pinhole(start_node, client):
    start_node('sim_node', image_size=32)
    agent = Agent(client)
    client.until(lambda: agent.infos and agent.images, 'an image and its camera_info')
    info = agent.infos[0]
    assert (info.height, info.width) == (32, 32)
    assert info.header == agent.images[0].header
    assert info.header.frame_id == 'camera_optical_frame'
    assert info.k[0] > 0 and info.k[4] > 0 and info.k[8] == 1
    assert (info.k[2], info.k[5]) == (15.5, 15.5)
    assert len(info.d) == 5 and list(info.r) == np.eye(3).ravel().tolist()


def test_it_ends_at_once_when_told(start_node, client):
    numbers = (signal.SIGINT, signal.SIGTERM)
    received = [client.collect(Image, f'/sim{number}/image_raw') for number in numbers]
    sims = [start_node('sim_node', {'__ns': f'/sim{number}'}, wait_for_agent=False,
                       resend_period=.1) for number in numbers]
    client.until(lambda: all(len(images) > 1 for images in received), 'images of both')
    for sim, number in zip(sims, numbers):
        status, seconds = sim.stop(number)
        assert status == 0
        assert seconds < 2.
        assert 'Traceback' not in sim.output()


def test_an_impossible_parameter_is_refused(start_node):
    free = start_node('sim_node', rate=0., synchronous=False)
    tiny = start_node('sim_node', image_size=5)
    for sim, complaint in ((free, 'rate is 0, expected more when free-running'),
                           (tiny, 'image_size is 5, expected an integer in [16, 1024]')):
        assert sim.wait() == 2
        assert complaint in sim.output()
        assert 'Traceback' not in sim.output()
