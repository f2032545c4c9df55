# SPDX-License-Identifier: Apache-2.0
"""`obai record` beside a small system in this process, which is played while it records."""

import json
import os
import re
import signal

import numpy as np
from obai_ros import cli
from obai_ros.recording.bag import read_bag
from obai_ros.recording.footage import Framing
import pytest

pytest.importorskip('rclpy')

from obai_ros.messages import action_field, image  # noqa: E402
from obai_ros.msg import ActionField, Goal  # noqa: E402
from obai_ros.nodes import qos, recorder_node  # noqa: E402
from rclpy.duration import Duration  # noqa: E402
from rosbags.highlevel import AnyReader  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
import yaml  # noqa: E402

SIDE = 8


class System:
    """Publishes a frame after the other, each twice, once everything has a subscriber."""

    def __init__(self, client):
        self.frame = 0
        self._goal = client.publisher(Goal, 'goal_state', qos.LATCHED)
        self._goal.publish(Goal(kind=Goal.ALL, x=3.0))
        self._images = client.publisher(Image, 'image_raw', qos.IMAGE_OUT)
        self._applied = client.publisher(ActionField, 'applied_action_field')

    def play(self):
        """Publish, if somebody listens; a test calls it in place of time going by."""
        if not all(publisher.get_subscription_count()
                   for publisher in (self._goal, self._images, self._applied)):
            return
        # What is latched travels by itself; a recording of one frame may be over before it comes.
        if not self._goal.wait_for_all_acked(Duration(seconds=1)):
            return
        shown = Image()
        shown.header.stamp.sec = 1 + self.frame
        image.from_numpy(np.full((SIDE, SIDE, 3), self.frame % 256, np.uint8), 'rgb8', shown)
        self._images.publish(shown)
        self._images.publish(shown)
        done = action_field.write([1], [2], [[3.0, self.frame]], SIDE, SIDE, ActionField())
        done.header.stamp.sec = 1 + self.frame
        self._applied.publish(done)
        self.frame += 1


@pytest.fixture
def system(client):
    return System(client)


@pytest.fixture
def play_while_recording(system, monkeypatch):
    """Let the system play whenever the recorder looks whether it is done."""
    def serve_until(self, condition, plain=recorder_node.Guest.serve_until):
        def played():
            system.play()
            return condition()
        plain(self, played)
    monkeypatch.setattr(recorder_node.Guest, 'serve_until', serve_until)


def obai_record(tmp_path, *arguments):
    return cli.main(['record', '--out', str(tmp_path / 'bag'), *arguments])


def test_a_running_system_becomes_a_bag(play_while_recording, tmp_path, capsys):
    assert obai_record(tmp_path, '--frames', '5', '--json', str(tmp_path / 'r.json')) == 0
    footage = read_bag(tmp_path / 'bag', Framing(SIDE))
    levels = footage.images[:, 0, 0, 0]
    assert len(levels) == 5 and (np.diff(levels.astype(int)) == 1).all()
    assert footage.pieces == 1
    points = footage.points.tolist()
    assert points == [[1.0, 2.0, 3.0, float(levels[frame])] for frame in footage.acted]
    told = json.loads((tmp_path / 'r.json').read_text())
    assert told['frames'] == 5 and told['messages']['/goal_state'] == 1, 'latched before it began'
    assert '5 frames' in (said := capsys.readouterr().out)
    assert 'nothing came on' in said and '/slots' in said


def test_what_was_recorded_says_what_it_is(play_while_recording, tmp_path):
    assert obai_record(tmp_path, '--frames', '1', '--topics', 'goal_state', 'image_raw',
                       'applied_action_field') == 0
    with AnyReader([tmp_path / 'bag']) as reader:
        goals = [reader.deserialize(raw, connection.msgtype) for connection, _, raw
                 in reader.messages() if connection.topic == '/goal_state']
    assert (goals[0].kind, goals[0].x) == (Goal.ALL, 3.0)
    topics = {entry['topic_metadata']['name']: entry['topic_metadata'] for entry in yaml.safe_load(
        (tmp_path / 'bag' / 'metadata.yaml').read_text())['rosbag2_bagfile_information'][
            'topics_with_message_count']}
    assert topics['/goal_state']['offered_qos_profiles'][0]['durability'] == 'transient_local'
    assert topics['/image_raw']['offered_qos_profiles'][0]['durability'] == 'volatile'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_complete_bag(system, monkeypatch, tmp_path, number):
    def serve_until(self, condition, plain=recorder_node.Guest.serve_until):
        def played():
            system.play()
            if self.node.frames >= 3:
                os.kill(os.getpid(), number)
            return condition()
        plain(self, played)
    monkeypatch.setattr(recorder_node.Guest, 'serve_until', serve_until)
    assert obai_record(tmp_path) == 0
    assert read_bag(tmp_path / 'bag', Framing(SIDE)).frames >= 3


def test_a_recording_of_nothing_is_refused(domain, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recorder_node, 'PATIENCE', 0.0)
    monkeypatch.setattr(recorder_node.Guest, 'serve_until',
                        lambda self, condition: self.node._look())
    assert obai_record(tmp_path) == 2
    output = capsys.readouterr()
    assert 'nobody publishes /image_raw yet' in output.out
    assert 'obai record: nothing was recorded' in output.err
    assert not list(tmp_path.iterdir())


def test_who_looks_for_the_wrong_images_is_told_of_others(client, tmp_path, monkeypatch, capsys):
    client.publisher(Image, '/camera/image_raw', qos.IMAGE_OUT)
    monkeypatch.setattr(recorder_node, 'PATIENCE', float('inf'))

    def serve_until(self, condition, plain=recorder_node.Guest.serve_until):
        plain(self, lambda: '/camera/image_raw' in recorder_node.published(self.node))
        monkeypatch.setattr(recorder_node, 'PATIENCE', 0.0)
        self.node._look()
    monkeypatch.setattr(recorder_node.Guest, 'serve_until', serve_until)
    assert obai_record(tmp_path) == 2
    assert 'There are images on /camera/image_raw: --image-topic' in capsys.readouterr().out


@pytest.mark.parametrize('topic, kind, stamped', [
    ('/front/image', Image, True), ('/front/image', Image, False),
    ('front/image_raw/compressed', CompressedImage, True)])
def test_frames_of_any_camera_are_counted(client, monkeypatch, tmp_path, topic, kind, stamped):
    camera = client.publisher(kind, topic, qos.IMAGE_OUT)
    info = client.publisher(CameraInfo, '/front/camera_info', qos.IMAGE_OUT)

    def serve_until(self, condition, plain=recorder_node.Guest.serve_until):
        def played():
            if camera.get_subscription_count() and info.get_subscription_count():
                message = kind()
                message.header.stamp.sec = stamped * (1 + self.node.frames)
                info.publish(CameraInfo(header=message.header))
                camera.publish(message)
            return condition()
        plain(self, played)
    monkeypatch.setattr(recorder_node.Guest, 'serve_until', serve_until)
    assert obai_record(tmp_path, '--frames', '3', '--image-topic', topic, '--json',
                       str(tmp_path / 'r.json')) == 0
    told = json.loads((tmp_path / 'r.json').read_text())
    assert told['frames'] == 3 and told['messages']['/front/camera_info']
    assert told['messages'][f'/{topic.lstrip("/")}'] >= 3


def test_frames_that_cannot_be_counted_are_refused(client, tmp_path, capsys):
    assert obai_record(tmp_path, '--topics', '/front/image', '--frames', '5') == 2
    assert re.search('none of /front/image is called image_raw: .*--image-topic',
                     capsys.readouterr().err)
    client.publisher(Goal, 'goal_state', qos.LATCHED)
    assert obai_record(tmp_path, '--image-topic', 'goal_state', '--frames', '5') == 2
    assert '/goal_state is of type obai_ros/msg/Goal, expected' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_images_that_turn_out_to_be_something_else_cost_nothing_recorded(
        client, monkeypatch, tmp_path, capsys):
    goals = client.publisher(Goal, 'goal', qos.DATA)
    late = []

    def serve_until(self, condition, plain=recorder_node.Guest.serve_until):
        def played():
            if goals.get_subscription_count():
                goals.publish(Goal(x=3.0))
            if self.node.begun and not late:
                late.append(client.publisher(Goal, 'image_raw', qos.DATA))
            return condition()
        plain(self, played)
    monkeypatch.setattr(recorder_node.Guest, 'serve_until', serve_until)
    assert obai_record(tmp_path, '--topics', 'goal', 'image_raw', '--frames', '5') == 2
    error = capsys.readouterr().err
    assert '/image_raw is of type obai_ros/msg/Goal, expected' in error
    assert f'is complete in {tmp_path}/bag' in error
    with AnyReader([tmp_path / 'bag']) as reader:
        assert {connection.topic for connection, *_ in reader.messages()} == {'/goal'}


def test_names_that_cannot_be_are_refused(domain, tmp_path, capsys):
    assert obai_record(tmp_path, '--topics', '1st topic') == 2
    assert 'topic name' in capsys.readouterr().err
    assert obai_record(tmp_path, '--namespace', 'not so') == 2
    assert 'namespace' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_model_learns_from_what_the_simulator_showed(start_node, tmp_path, capsys):
    start_node('sim_node', image_size=32, synchronous=False, rate=30., wait_for_agent=False,
               episode_steps=12)
    assert obai_record(tmp_path, '--frames', '40', '--topics', 'image_raw',
                       'applied_action_field', 'ground_truth/label_image') == 0
    assert cli.main(['train', '--preset', 'smoke', '--device', 'cpu', '--out',
                     str(tmp_path / 'run'), '--data', str(tmp_path / 'bag')]) == 0
    assert 'with the truth' in (said := capsys.readouterr().out) and 'ARI' in said
    assert cli.main(['evaluate', '--checkpoint', str(tmp_path / 'run' / 'smoke.safetensors'),
                     '--data', str(tmp_path / 'bag'), '--device', 'cpu', '--starts', '1',
                     '--json', str(tmp_path / 'scores.json')]) == 0
    scores = json.loads((tmp_path / 'scores.json').read_text())
    assert scores['sequences'] >= 3 and {'ari', 'fari', 'prediction_mse'} < scores.keys()
