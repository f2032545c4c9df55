# SPDX-License-Identifier: Apache-2.0
"""`obai play`: frames of a running system reach the page, and wishes reach the system."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time

from harness import NodeProcess
import numpy as np
from obai_ros import cli
from obai_ros.messages import beliefs, image
from obai_ros.msg import Goal, LabelInfo, PlannerStatus, SlotBeliefs
from obai_ros.nodes import qos
from obai_ros.nodes.guest import Guest
from obai_ros.nodes.page_node import PageNode
from obai_ros.srv import SetGoal
from obai_ros.viewing.page import Page, Wish
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool, Trigger

SIDE, SLOTS, LATENTS = 32, 3, 4
NAN = float('nan')


class Looking:
    """What a browser does that looks at a page: it keeps the frames that come."""

    def __init__(self, page):
        self.frames = []
        host, port = page.address.split('/')[2].split(':')
        self._socket = socket.create_connection((host, int(port)))
        self._socket.sendall(b'GET /frames HTTP/1.1\r\nHost: localhost\r\n\r\n')
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self):
        for line in self._socket.makefile():
            if line.startswith('data: '):
                self.frames.append(json.loads(line[6:]))

    def look_away(self):
        self._socket.shutdown(socket.SHUT_RDWR)


class Due:
    """Tells ten times a second that it is time, as a camera does."""

    def __init__(self):
        self._next = 0.

    def __call__(self):
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + .1
        return True


@pytest.fixture
def page():
    with Page(port=0) as made:
        yield made


@pytest.fixture
def join(domain, page):
    """Return join(**names) -> (guest, said): a PageNode that joins the domain."""
    guests = []

    def join(**names):
        said = []
        guests.append(Guest(lambda context: PageNode(context, page, say=said.append, **names)))
        return guests[-1].__enter__(), said
    yield join
    for guest in guests:
        guest.__exit__()


def believed(stamp):
    """Return beliefs about two objects and a background, about the image of that second."""
    generator = np.random.default_rng(0)
    message = SlotBeliefs()
    message.header.stamp.sec = stamp
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[4:8, 10:14] = 2
    return beliefs.write(beliefs.Beliefs(
        frame=stamp, model_id='m', height=SIDE, width=SIDE,
        **{name: generator.normal(size=(SLOTS, LATENTS)).astype(np.float32)
           for name in beliefs.LATENT_FIELDS},
        centroid=np.array([[16, 16], [12, 6], [20, 20]], np.float32),
        mass=np.array([1000, 16, 8], np.float32), traits=np.zeros((SLOTS, beliefs.TRAITS)),
        labels=labels, empty=np.array([False, False, True]), background=0,
        contact_row=np.array([0, 5, 1]), contact_col=np.array([0, 11, 1]),
        contact_probability=np.eye(SLOTS, dtype=np.float32), reachable=np.ones(SLOTS, bool),
        free_energy=-7.5, slot_free_energy=np.zeros(SLOTS), entropy=np.zeros(SLOTS),
        iterations=4), message)


def planned(stamp):
    message = PlannerStatus(feef=[NAN, 2.5, NAN], ax=[0., 1., 0.], ay=[0., -1., 0.],
                            goal_x=[NAN, 20., NAN], goal_y=[NAN, 10., NAN])
    message.header.stamp.sec = stamp
    return message


def serve(guest, client, condition):
    """Let the node of the page and that of the test work until the condition holds."""
    deadline = time.monotonic() + 60.

    def either():
        assert time.monotonic() < deadline, 'waited in vain'
        client.during(.005)
        return condition()
    guest.serve_until(either)


@pytest.mark.parametrize('topic', ['image_raw', 'eye/image', 'eye/image/compressed'])
def test_images_beliefs_and_plans_meet_on_the_page(client, page, join, topic):
    guest, said = join(namespace='/here', image_topic=topic)
    slots = client.publisher(SlotBeliefs, '/here/slots')
    plans = client.publisher(PlannerStatus, '/here/planner_node/status')
    infos = client.publisher(LabelInfo, '/here/label_info', qos.LATCHED)
    infos.publish(LabelInfo(image_width=80, image_height=40, offset_x=20., scale_x=1.25,
                            scale_y=1.25))
    kind = CompressedImage if topic.endswith('compressed') else Image
    images = client.publisher(kind, f'/here/{topic}', qos.IMAGE_OUT)
    assert not slots.get_subscription_count(), 'nobody looks'
    browser, stamp, due = Looking(page), 0, Due()

    def sent():
        nonlocal stamp
        if all(each.get_subscription_count() for each in (slots, plans, infos, images)) and due():
            stamp += 1
            picture = np.full((40, 80, 3), stamp % 200, np.uint8)
            message = image.from_numpy(picture, 'rgb8', Image())
            if kind is CompressedImage:
                import cv2
                message = CompressedImage(format='png', data=cv2.imencode(
                    '.png', picture)[1].tobytes())
            message.header.stamp.sec = stamp
            for publisher, each in ((images, message), (slots, believed(stamp)),
                                    (plans, planned(stamp))):
                publisher.publish(each)
        return any(frame['planned'] and frame['place']['offset_x'] for frame in browser.frames)
    serve(guest, client, sent)
    frame = browser.frames[-1]
    assert (frame['image']['width'], frame['image']['height']) == (80, 40)
    assert frame['place'] == {'offset_x': 20., 'offset_y': 0., 'scale_x': 1.25, 'scale_y': 1.25}
    thing = frame['slots'][1]
    assert (thing['kind'], thing['x'], thing['wanted'], thing['push'], thing['contact']) == (
        'object', 12., [20., 10.], [1., -1.], [11, 5])
    browser.look_away()
    serve(guest, client, lambda: not slots.get_subscription_count())
    assert said == []


def test_what_makes_no_sense_is_told_and_the_next_frame_shown(client, page, join):
    guest, said = join()
    slots = client.publisher(SlotBeliefs, 'slots')
    images = client.publisher(Image, 'image_raw', qos.IMAGE_OUT)
    browser, stamp, due = Looking(page), 0, Due()

    def sent():
        nonlocal stamp
        if slots.get_subscription_count() and images.get_subscription_count() and due():
            stamp += 1
            message = image.from_numpy(np.zeros((SIDE, SIDE, 3), np.uint8), 'rgb8', Image())
            message.header.stamp.sec = stamp
            images.publish(message)
            about = believed(stamp)
            if not said:
                about.mean = about.mean[:-1]
            slots.publish(about)
        return browser.frames
    serve(guest, client, sent)
    assert 'slots cannot be shown: the beliefs have mean of length 11, expected 12' in said[0]
    assert not browser.frames[0]['planned']


def test_wishes_are_asked_of_the_nodes_and_their_answers_come_back(client, page, join):
    guest, _ = join(namespace='here')
    asked = []

    def grant(what, granted=True):
        def take(request, response):
            asked.append((what, request))
            response.success, response.message = granted, f'{what} it is'
            return response
        return take
    for kind, name, granted in ((SetGoal, 'planner_node/set_goal', False),
                                (Trigger, 'sim_node/reset', True),
                                (SetBool, 'sim_node/pause', True),
                                (Trigger, 'sim_node/step', True)):
        client.node.create_service(kind, f'/here/{name}', grant(name, granted))
    serve(guest, client, lambda: all(
        each.service_is_ready() for each in guest.node._granters.values()))
    wishes = [Wish.read(json.dumps(said).encode()) for said in (
        {'do': 'goal', 'kind': 'object', 'u': 1, 'v': 2, 'x': 3, 'y': 4, 'also': True},
        {'do': 'reset'}, {'do': 'pause', 'on': True}, {'do': 'step'})]
    for wish in wishes:
        page._wishes.put(wish)
    serve(guest, client, lambda: len(asked) == 4 and not guest.node._asked)
    assert [wish.wait() for wish in wishes] == [
        {'granted': name != 'planner_node/set_goal', 'says': f'{name} it is'}
        for name in ('planner_node/set_goal', 'sim_node/reset', 'sim_node/pause', 'sim_node/step')]
    found = dict(asked)
    assert found['planner_node/set_goal'].goal == Goal(kind=Goal.OBJECT, u=1., v=2., x=3., y=4.,
                                                       also=True)
    assert found['sim_node/pause'].data is True


def test_a_wish_that_nobody_can_grant_is_answered_at_once(client, page, join):
    guest, _ = join()
    wish = Wish('reset', {})
    page._wishes.put(wish)
    serve(guest, client, lambda: not wish._answer.empty())
    answer = wish.wait()
    assert not answer['granted']
    assert answer['says'].startswith('nobody offers /sim_node/reset in ROS domain')


@pytest.fixture
def command(domain, tmp_path):
    """Return command(*arguments): `obai play` as a process that does not outlive the test."""
    started = []

    class Command(NodeProcess):
        def __init__(self, *arguments):
            self.begin('obai play', tmp_path / 'log', [
                sys.executable, '-m', 'obai_ros.cli', 'play', '--port', '0', *arguments])
            started.append(self)
    yield Command
    for each in started:
        each.kill()


def test_the_whole_loop_runs_until_a_signal_comes(client, command, weights):
    play = command('--checkpoint', weights, '--seed', '5', '--objects', '2', '--rate', '50')
    client.until(lambda: play.says('open http://localhost'), 'the address')
    address = play.output().split('http://')[1].split('/')[0]
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request('GET', '/frames')
    lines = iter(connection.getresponse())
    frame = json.loads(next(line for line in lines if line.startswith(b'data: '))[6:])
    assert (frame['image']['width'], len(frame['slots'])) == (64, SLOTS + 1)
    assert {key: client.parameters('/sim_node')[key] for key in ('seed', 'num_objects', 'rate')
            } == {'seed': 5, 'num_objects': 2, 'rate': 50.}
    assert play.says(r'\[perception_node\]: configured'), 'what nodes say is passed on'
    status, _ = play.stop(signal.SIGINT)
    assert status == 0 and 'Traceback' not in play.output()
    client.until(lambda: not client.node.count_publishers('image_raw'), 'the end of the loop')


def test_what_the_loop_cannot_begin_with_is_said(command, tmp_path):
    play = command('--checkpoint', str(tmp_path / 'none.safetensors'))
    assert play.wait() == 2
    assert play.says(
        r'obai play: \w+_node cannot be configured: .*none.safetensors does not exist')
    assert 'Traceback' not in play.output()


def test_a_name_that_cannot_be_is_refused(capsys, domain):
    assert cli.main(['play', '--join', '--port', '0', '--namespace', 'a b']) == 2
    said = capsys.readouterr().err
    assert said.startswith('obai play: ') and 'a b' in said


def test_it_needs_no_ros_to_explain_itself():
    answer = subprocess.run([sys.executable, '-m', 'obai_ros.cli', 'play', '--help'],
                            capture_output=True, text=True)
    assert answer.returncode == 0 and '--join' in answer.stdout
