# SPDX-License-Identifier: Apache-2.0
"""`obai view`: a websocket client sees the topics, as Foxglove does, and reads what comes."""

import contextlib
import json
import re
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip('rclpy')

from harness import CHECKOUT, PATIENCE  # noqa: E402
from obai_ros.cli import main  # noqa: E402
from obai_ros.messages import image  # noqa: E402
from obai_ros.msg import Goal, SlotBeliefs  # noqa: E402
from obai_ros.nodes import qos  # noqa: E402
from obai_ros.nodes.guest import Guest  # noqa: E402
from obai_ros.nodes.viewer_node import ViewerNode  # noqa: E402
from obai_ros.recording.definitions import Definitions  # noqa: E402
from obai_ros.viewing.bridge import Bridge, BridgeError  # noqa: E402
from rosbags.typesys import Stores, get_types_from_msg, get_typestore  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from websockets.sync.client import connect  # noqa: E402


class Viewer:
    """What Foxglove is to the server."""

    def __init__(self, port, serve):
        self.channels = {}
        self.messages = {}
        self._serve = serve
        # With a bounded queue the end of the connection would wait behind what nobody reads.
        self._socket = connect(f'ws://127.0.0.1:{port}', subprotocols=['foxglove.sdk.v1'],
                               max_queue=None)

    def close(self):
        self._socket.close()

    def until(self, condition):
        """Let the system serve, and read what the server says, until the condition holds."""
        def seen():
            with contextlib.suppress(TimeoutError):
                self._take(self._socket.recv(timeout=0))
            return condition()
        self._serve(seen)

    def subscribe(self, topic):
        self._socket.send(json.dumps({'op': 'subscribe', 'subscriptions': [
            {'id': self.channels[topic]['id'], 'channelId': self.channels[topic]['id']}]}))
        self.messages[topic] = []

    def unsubscribe(self, topic):
        self._socket.send(json.dumps(
            {'op': 'unsubscribe', 'subscriptionIds': [self.channels[topic]['id']]}))

    def decode(self, topic):
        """Return the last message, read by what the server said about the topic and no more."""
        channel = self.channels[topic]
        assert (channel['encoding'], channel['schemaEncoding']) == ('cdr', 'ros2msg')
        store = get_typestore(Stores.EMPTY)
        store.register(get_types_from_msg(channel['schema'], channel['schemaName']))
        return store.deserialize_cdr(self.messages[topic][-1][1], channel['schemaName'])

    def _take(self, data):
        if isinstance(data, bytes):
            kind, number, stamp = struct.unpack_from('<BIQ', data)
            topic = next(name for name, channel in self.channels.items()
                         if channel['id'] == number)
            assert kind == 1
            self.messages[topic].append((stamp, data[13:]))
            return
        said = json.loads(data)
        if said['op'] == 'advertise':
            self.channels.update({channel['topic']: channel for channel in said['channels']})
        elif said['op'] == 'unadvertise':
            self.channels = {name: channel for name, channel in self.channels.items()
                             if channel['id'] not in said['channelIds']}


@pytest.fixture
def bridge():
    with Bridge(port=0) as made:
        yield made


@pytest.fixture
def guest(domain, bridge):
    with Guest(lambda context: ViewerNode(context, bridge)) as made:
        yield made


@pytest.fixture
def open_viewer(bridge, guest):
    opened = []

    def open_one():
        opened.append(Viewer(bridge.address.rpartition(':')[2], guest.serve_until))
        return opened[-1]
    yield open_one
    for viewer in opened:
        viewer.close()


def test_an_image_and_beliefs_can_be_read(client, open_viewer):
    images = client.publisher(Image, 'image_raw', qos.IMAGE_OUT)
    slots = client.publisher(SlotBeliefs, 'slots')
    picture = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
    shown = image.from_numpy(picture, 'rgb8', Image())
    believed = SlotBeliefs(frame=5, num_slots=2, latent_size=1, mean=[1.5, -2.5], model_id='abc',
                           centroid_x=[3.0, 4.0], empty=[False, True], free_energy=7.25)
    viewer = open_viewer()
    viewer.until(lambda: {'/image_raw', '/slots'} <= viewer.channels.keys())
    assert not images.get_subscription_count(), 'nobody looks yet'
    for topic in ('/image_raw', '/slots'):
        viewer.subscribe(topic)

    def both():
        images.publish(shown)
        slots.publish(believed)
        return viewer.messages['/image_raw'] and viewer.messages['/slots']
    viewer.until(both)
    assert np.array_equal(image.to_rgb8(viewer.decode('/image_raw')), picture)
    read = viewer.decode('/slots')
    assert (read.frame, read.model_id, read.free_energy) == (5, 'abc', 7.25)
    assert read.mean.tolist() == [1.5, -2.5] and list(read.empty) == [False, True]
    stamp, _ = viewer.messages['/slots'][-1]
    assert stamp > 1.6e18, 'ns since 1970'
    viewer.unsubscribe('/image_raw')
    viewer.until(lambda: not images.get_subscription_count())
    assert slots.get_subscription_count() == 1


def test_what_is_latched_reaches_every_viewer(client, open_viewer):
    client.publisher(Goal, 'goal_state', qos.LATCHED).publish(Goal(x=12.0))
    for _ in range(2):
        viewer = open_viewer()
        viewer.until(lambda: '/goal_state' in viewer.channels)
        viewer.subscribe('/goal_state')
        viewer.until(lambda: viewer.messages['/goal_state'])
        assert viewer.decode('/goal_state').x == 12.0


def test_topics_come_and_go(client, open_viewer):
    viewer = open_viewer()
    publisher = client.publisher(Goal, 'late')
    viewer.until(lambda: '/late' in viewer.channels)
    client.node.destroy_publisher(publisher)
    viewer.until(lambda: '/late' not in viewer.channels)


def test_a_port_that_is_taken_is_refused_in_a_sentence(bridge):
    port = int(bridge.address.rpartition(':')[2])
    with pytest.raises(BridgeError, match=f'cannot listen at 127.0.0.1:{port} .*--port'):
        Bridge(port=port)


def test_a_name_that_no_topic_can_have_is_refused_in_a_sentence(domain, capsys):
    assert main(['view', '--port', '0', '--topics', '1st topic']) == 2
    assert 'obai view: Invalid topic name: topic name' in capsys.readouterr().err


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_to_look_and_ends_on_a_signal(domain, number):
    process = subprocess.Popen(
        [sys.executable, '-m', 'obai_ros.cli', 'view', '--port', '0'], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, cwd=CHECKOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    try:
        said = [process.stdout.readline() for _ in range(4)]
        port = re.search(r'ws://localhost:(\d+)', said[1])[1]
        assert f'ds.url=ws%3A%2F%2F127.0.0.1%3A{port}' in said[0]
        assert 'foxglove.json' in said[2]
        with connect(f'ws://127.0.0.1:{port}', subprotocols=['foxglove.sdk.v1']) as socket:
            assert json.loads(socket.recv(timeout=PATIENCE))['op'] == 'serverInfo'
            process.send_signal(number)
            assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == ''
    finally:
        process.kill()


def test_the_layout_shows_what_there_is():
    """That the nodes publish these topics is for test_documentation.py to see."""
    layout = json.loads((CHECKOUT / 'config' / 'foxglove.json').read_text())
    kinds = {'/perception_node/status': 'PerceptionStatus', '/slots': 'SlotBeliefs',
             '/goal_state': 'Goal', '/planner_node/status': 'PlannerStatus'}
    panels = layout['configById']
    assert {panel['imageMode']['imageTopic'] for name, panel in panels.items()
            if name.startswith('Image!')} == {
        '/overlay_node/overlay', '/image_raw', '/reconstruction', '/prediction'}
    plots = [panel for name, panel in panels.items() if name.startswith('Plot!')]
    assert len(plots) == 3
    definitions = Definitions()
    for path in (path['value'] for plot in plots for path in plot['paths']):
        topic, _, field = path.partition('.')
        kind = f'obai_ros/msg/{kinds[topic]}'
        definitions.of(kind)
        fields = dict(definitions.store.fielddefs[kind][1])
        assert field.removesuffix('[:]') in fields, path

    def names(part):
        return [part] if isinstance(part, str) else names(part['first']) + names(part['second'])
    assert sorted(names(layout['layout'])) == sorted(panels)
