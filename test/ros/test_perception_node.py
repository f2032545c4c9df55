# SPDX-License-Identifier: Apache-2.0
"""perception_node over DDS: the test plays camera and simulator."""

import array
import itertools
import math
import re
import signal
import threading
import time

from builtin_interfaces.msg import Time
import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from harness import inside, stamp_of
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
from obai_ros.msg import ActionField, LabelInfo, PerceptionStatus, SlotBeliefs
from obai_ros.nodes import qos
from obai_ros.nodes.perception_node import PerceptionNode
import pytest
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool, Trigger

SIDE = 32  # of the smoke model


def picture(second, encoding='rgb8', side=SIDE, nanosecond=0):
    """Return an image message with that stamp, random pixels of a fixed seed."""
    channels = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}.get(encoding, 3)
    pixels = np.random.default_rng(second).integers(0, 256, side * side * channels, np.uint8)
    message = Image(height=side, width=side, encoding=encoding, step=side * channels,
                    data=array.array('B', pixels.tobytes()))
    message.header.stamp = Time(sec=second, nanosec=nanosecond)
    message.header.frame_id = 'some_camera'
    return message


def plain(second, grey):
    """Return an image message with that stamp, all of one grey."""
    message = picture(second)
    message.data = array.array('B', [grey] * len(message.data))
    return message


def applied(second, cut=False, points=(), frame=0):
    """Return the action on the frame with that stamp; points: (row, col, ax, ay)."""
    row, col, ax, ay = zip(*points) if points else ((), (), (), ())
    message = ActionField(height=SIDE, width=SIDE, row=row, col=col, ax=ax, ay=ay, cut=cut,
                          frame=frame)
    message.header.stamp.sec = second
    return message


def start_active(client, start_node, remappings={}, **parameters):
    """Start perception and wait until it is active."""
    node = start_node('perception_node', remappings, **parameters)
    client.until(lambda: node.says(r'\bactive: '), 'perception to become active')
    return node


@pytest.fixture
def camera(client, start_node, weights):
    """Return perception with what feeds it: (node, slots received, send image and await)."""
    node = start_active(client, start_node, checkpoint=weights)
    slots = client.collect(SlotBeliefs, 'slots')
    images = client.heard_publisher(Image, 'image_raw', qos.IMAGE_OUT)
    client.until(lambda: client.node.count_publishers('slots'), 'slots')

    def see(message):
        """Send an image until it is answered (the subscription is best effort)."""
        before = len(slots)
        for _ in range(60):
            images.publish(message)
            # What was sent twice is answered twice: the second answer may come during this wait.
            if client.wait(lambda: any(stamp_of(answer) == stamp_of(message)
                                       for answer in slots[before:]), timeout=1.0):
                return slots[-1]
        pytest.fail(f'no slots came for {message.header.stamp}')
    see.node, see.slots, see.images = node, slots, images
    return see


def test_beliefs_carry_the_stamp_of_their_image_and_are_well_formed(client, camera):
    infos = client.collect(LabelInfo, 'label_info', qos.LATCHED)
    labels = client.collect(Image, 'label_image', qos.IMAGE_OUT)
    reconstructions = client.collect(Image, 'reconstruction', qos.IMAGE_OUT)
    predictions = client.collect(Image, 'prediction', qos.IMAGE_OUT)
    statuses = client.collect(PerceptionStatus, 'perception_node/status')
    for topic in ('label_image', 'reconstruction', 'prediction', 'perception_node/status'):
        client.until(lambda: client.node.count_publishers(topic), topic)
    second = 1
    while not (labels and reconstructions and predictions and statuses and infos):
        beliefs = camera(picture(second))
        assert beliefs.header.stamp.sec == second
        assert beliefs.header.frame_id == 'some_camera'
        second += 1
        assert second < 60
    assert (beliefs.height, beliefs.width, beliefs.num_slots) == (SIDE, SIDE, 4)
    assert len(beliefs.mean) == beliefs.num_slots * beliefs.latent_size
    assert np.isfinite(beliefs.mean).all()
    assert math.isclose(sum(beliefs.mass), SIDE * SIDE, rel_tol=1e-3)
    assert np.asarray(beliefs.contact_probability).reshape(4, 4).sum(1) == pytest.approx(1.0)
    for message, encoding in ((labels[-1], '8UC1'), (reconstructions[-1], 'rgb8'),
                              (predictions[-1], 'rgb8')):
        assert (message.height, message.width, message.encoding) == (SIDE, SIDE, encoding)
        assert message.header.frame_id == 'some_camera'
    values = set(np.frombuffer(labels[-1].data, np.uint8).tolist())
    assert values <= {*infos[-1].label, LabelInfo.UNLABELLED}
    # It is told when it changes, after the beliefs.
    client.until(lambda: infos[-1].background == beliefs.background, 'the background of the last')
    assert infos[-1].model_id == beliefs.model_id
    assert statuses[-1].device == 'cpu'
    assert statuses[-1].iterations == 4


def test_frames_follow_each_other_through_the_applied_actions(client, camera):
    actions = client.heard_publisher(ActionField, 'applied_action_field')
    statuses = client.collect(PerceptionStatus, 'perception_node/status')
    assert camera(picture(1)).frame == 0
    for second in range(2, 12):
        actions.publish(applied(second - 1, points=[(3, 4, 1.0, -1.0)]))
        assert camera(picture(second)).frame == second - 1
    client.until(lambda: statuses and statuses[-1].header.stamp.sec == 11, 'status')
    assert statuses[-1].dropped == 0
    assert 'no action for the previous image' not in camera.node.output()
    # An hour later, and yet the next frame, since its action is known.
    actions.publish(applied(11))
    assert camera(picture(3611)).frame == 11
    actions.publish(applied(3611, cut=True))
    assert camera(picture(3612)).frame == 0
    assert camera.node.says('starts anew: the scene was reset')


def test_a_cut_behind_an_image_that_was_never_received_is_noticed(client, camera):
    actions = client.heard_publisher(ActionField, 'applied_action_field')
    assert camera(picture(1)).frame == 0
    for second in range(1, 41, 4):
        actions.publish(applied(second))
        assert camera(picture(second + 1)).frame == 1
        # All at once, while the node has no time: image + 2 is pushed out of the queue by + 3.
        camera.node.process.send_signal(signal.SIGSTOP)
        actions.publish(applied(second + 1))
        camera.images.publish(picture(second + 2))
        actions.publish(applied(second + 2, cut=True))
        camera.images.publish(picture(second + 3))
        camera.node.process.send_signal(signal.SIGCONT)
        client.until(lambda: stamp_of(camera.slots[-1]) == stamp_of(picture(second + 3)),
                     'the image after the cut')
        assert camera.slots[-1].frame == 0
        actions.publish(applied(second + 3, cut=True))
        assert camera(picture(second + 4)).frame == 0


def test_a_simulator_that_was_started_anew_at_once_is_noticed_by_its_numbers(client, camera):
    actions = client.heard_publisher(ActionField, 'applied_action_field')
    seen = []
    # As if it were the same second: no gap tells that the frame with the number 0 is another's.
    for second, frame in ((1, 7), (2, 8), (3, 0), (4, 1), (5, 2)):
        seen.append(camera(picture(second)).frame)
        actions.publish(applied(second, frame=frame))
    assert seen == [0, 1, 2, 0, 1]
    # Where the filter has begun with the first image of the new one, it goes on.
    assert camera(picture(500)).frame == 2  # its action is known
    assert camera(picture(900)).frame == 0
    actions.publish(applied(900, frame=0))
    assert camera(picture(901)).frame == 1


def test_a_missing_action_is_taken_as_zero_and_said(client, camera):
    client.heard_publisher(ActionField, 'applied_action_field')
    assert client.set_parameter('perception_node', 'action_wait', 0.05).successful
    camera(picture(1))
    assert camera(picture(2)).frame == 1
    assert camera.node.says('no action for the previous image came on /applied_action_field')


def test_the_filter_starts_anew_where_the_stream_breaks(camera):
    camera(picture(9))
    assert camera(picture(10)).frame == 1
    assert camera(picture(100)).frame == 0
    assert camera.node.says('no image was seen for 90 s')
    assert camera(picture(1)).frame == 0
    assert camera.node.says('stamps went back by 99 s')


def test_an_image_that_does_not_follow_is_noticed(camera):
    camera(plain(1, 127))
    assert 'does not follow' not in camera.node.output()
    assert camera(plain(2, 0)).frame == 1
    assert camera.node.says('does not follow from the one before it.*looked at afresh')


def test_an_image_sent_again_gets_the_same_beliefs_again(camera):
    first = camera(picture(1))
    again = camera(picture(1))
    assert again == first
    assert camera(picture(2)).frame == 1


def test_all_accepted_encodings_and_sizes_are_processed(camera):
    for second, encoding in enumerate(('rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8'), start=1):
        beliefs = camera(picture(second, encoding, side=20 * second))
        assert beliefs.header.stamp.sec == second
        assert (beliefs.height, beliefs.width) == (SIDE, SIDE)


@pytest.mark.parametrize('resize, offset, scale', [
    ('crop', (48., 0.), (5., 5.)), ('letterbox', (0., -48.), (8., 8.)),
    ('stretch', (0., 0.), (8., 5.))])
def test_label_info_says_how_the_image_was_fitted(client, domain, weights, resize, offset, scale):
    infos = client.collect(LabelInfo, 'label_info', qos.LATCHED)
    images = client.publisher(Image, 'image_raw', qos.IMAGE_OUT)
    wide = Image(height=160, width=256, encoding='mono8', step=256, data=bytes(160 * 256))
    with inside(PerceptionNode, domain, checkpoint=weights, resize=resize,
                autostart=False) as node:
        node.trigger_configure()
        node.trigger_activate()
        client.until(lambda: images.publish(wide) or spin(node) or infos, 'label_info')
    info = infos[-1]
    assert (info.image_width, info.image_height) == (256, 160)
    assert (info.offset_x, info.offset_y, info.scale_x, info.scale_y) == (*offset, *scale)


def test_compressed_images_are_taken_beside_the_raw_ones(client, domain, weights):
    slots = client.collect(SlotBeliefs, 'slots')
    raw = client.publisher(Image, '/camera/image', qos.IMAGE_OUT)
    images = client.publisher(CompressedImage, '/camera/image/compressed', qos.IMAGE_OUT)
    data = cv2.imencode('.jpg', np.full((SIDE, SIDE, 3), 90, np.uint8))[1].tobytes()
    with inside(PerceptionNode, domain, {'image_raw': '/camera/image'}, checkpoint=weights,
                image_transport='compressed', autostart=False) as node:
        node.trigger_configure()
        node.trigger_activate()
        client.until(images.get_subscription_count, 'perception')
        assert not raw.get_subscription_count()
        bad = CompressedImage(format='jpeg', data=data[:20])
        client.until(lambda: images.publish(bad) or spin(node) or node.complaints.count('image'),
                     'the refusal')
        whole = CompressedImage(format='jpeg', data=data)
        whole.header.stamp.sec = 7
        client.until(lambda: images.publish(whole) or spin(node) or slots, 'slots')
    assert slots[0].header.stamp.sec == 7


def spin(node):
    """Let a node inside this process handle what has arrived."""
    rclpy.spin_once(node, timeout_sec=.05)


def spoil_encoding(message):
    message.encoding = 'nv21'


def spoil_data(message):
    message.data = message.data[:100]


BAD_IMAGES = [
    (spoil_encoding, "image refused: the image has encoding 'nv21', expected one of rgb8, bgr8"),
    (spoil_data, 'image refused: the image has 100 bytes of data, expected 3072'),
]


def test_bad_images_are_refused_in_words_and_cost_no_frame(client, start_node, camera):
    statuses = client.collect(PerceptionStatus, 'perception_node/status')
    client.until(lambda: client.node.count_publishers('perception_node/status'), 'status')
    for second in range(1, 7):
        spoil, words = BAD_IMAGES[second % 2]
        bad = picture(second)
        spoil(bad)
        # The queue holds one image: until each kind has been looked at, the whole one has to wait.
        client.until(lambda: camera.images.publish(bad) or camera.node.says(re.escape(words)),
                     words)
        # The same stamp, but whole: it must get through.
        assert camera(picture(second)).frame == second - 1
    assert len(camera.slots) == 6
    client.until(lambda: statuses and statuses[-1].header.stamp.sec == 6, 'status')
    assert statuses[-1].refused > 0
    assert sum(camera.node.output().count(words) for _, words in BAD_IMAGES) <= 2


@pytest.mark.parametrize('spoil, words', BAD_IMAGES)
def test_a_bad_image_is_named_once(client, camera, spoil, words):
    bad = picture(1)
    spoil(bad)
    client.until(lambda: camera.images.publish(bad) or camera.node.says(re.escape(words)), words)
    for _ in range(20):
        camera.images.publish(bad)
    assert camera(picture(2)).frame == 0
    assert camera.node.output().count(words) == 1


def test_images_that_are_all_refused_are_diagnosed(client, domain, weights, capfd):
    diagnostics = client.collect(DiagnosticArray, '/diagnostics')
    images = client.publisher(Image, 'image_raw', qos.IMAGE_OUT)
    bad, good = picture(1), picture(1)
    spoil_encoding(bad)
    others = [plain(1, grey) for grey in range(20, 200)]
    with inside(PerceptionNode, domain, checkpoint=weights, autostart=False) as node:
        node.trigger_configure()
        node.trigger_activate()

        def send(messages, level, words):
            stream = itertools.cycle(messages)
            client.until(lambda: images.publish(next(stream)) or spin(node)
                         or diagnostics and words in diagnostics[-1].status[0].message, words)
            assert diagnostics[-1].status[0].level == level

        send([bad], DiagnosticStatus.WARN, "all images refused: the image has encoding 'nv21'")
        send([good], DiagnosticStatus.OK, 'processing images')
        # A driver that leaves all stamps at the same.
        slots = client.collect(SlotBeliefs, 'slots')
        send(others, DiagnosticStatus.WARN, 'stamps do not advance')
        del slots[:]
        refused = node.complaints.count('image')
        client.until(lambda: images.publish(others[0]) or spin(node)
                     or node.complaints.count('image') > refused + 3, 'refusals')
        assert not slots
        send([good], DiagnosticStatus.OK, 'processing images')
        client.until(lambda: slots, 'the beliefs again')
    assert capfd.readouterr().err.count('stamps do not advance; let the driver give each') == 1


BAD_ACTIONS = [
    (applied(1, points=[(3, 4, math.nan, 0.0)]), 'acceleration (nan, 0.0), expected finite'),
    (applied(2, points=[(99, 4, 1.0, 0.0)]), 'row 99, col 4, expected 0 .. 31'),
    (ActionField(height=64, width=64, header=applied(3).header),
     'grid of 64x64 px, expected 32x32'),
]


def test_bad_actions_are_refused_in_words_and_taken_as_zero(client, camera):
    actions = client.heard_publisher(ActionField, 'applied_action_field')
    camera(picture(1))
    for second, (bad, _) in enumerate(BAD_ACTIONS, start=1):
        actions.publish(bad)
        assert camera(picture(second + 1)).frame == second
    said = camera.node.output()
    assert [said.count(words) for _, words in BAD_ACTIONS] == [1, 1, 1]
    assert 'no action for the previous image' not in said
    assert camera.node.running()


@pytest.mark.parametrize('damage, words', [
    (lambda path: path.unlink(), 'does not exist: a model is a pair of files'),
    (lambda path: path.write_bytes(path.read_bytes()[:-50]), 'it is damaged'),
    (lambda path: path.with_suffix('.json').write_text('{'), 'does not describe a model'),
])
def test_bad_weights_fail_to_configure_with_a_remedy(
        client, start_node, weights, tmp_path, damage, words):
    path = tmp_path / 'broken.safetensors'
    for suffix in ('.safetensors', '.json'):
        source = path.with_suffix(suffix)
        source.write_bytes(open(weights.replace('.safetensors', suffix), 'rb').read())
    damage(path)
    node = start_node('perception_node', checkpoint=str(path))
    client.until(lambda: node.says('cannot be configured'), 'the failure')
    assert node.says(words)
    assert node.says('Set the parameter checkpoint to')
    assert state(client) == State.PRIMARY_STATE_UNCONFIGURED
    # Mended without a restart.
    assert client.set_parameter('perception_node', 'checkpoint', weights).successful
    assert change(client, Transition.TRANSITION_CONFIGURE)
    assert change(client, Transition.TRANSITION_ACTIVATE)
    client.until(lambda: node.says(r'\bactive: '), 'activation')


def change(client, transition):
    return client.call(ChangeState, 'perception_node/change_state',
                       transition=Transition(id=transition)).success


def state(client):
    return client.call(GetState, 'perception_node/get_state').current_state.id


def test_missing_device_fails_to_configure_with_a_remedy(client, start_node, weights):
    node = start_node('perception_node', checkpoint=weights, device='cuda:7')
    client.until(lambda: node.says('cannot be configured'), 'the failure')
    assert node.says('device cuda:7 is not there')
    assert node.says('choose auto or cpu')
    assert node.stop()[0] == 0


@pytest.mark.parametrize('parameter, value, words', [
    ('device', 'gpu', "device is 'gpu', expected auto, cpu, cuda or cuda:N"),
    ('iterations', -1, r'iterations is -1, expected an integer in \[0, 64\]'),
    ('action_wait', -1, r'action_wait is -1.0, expected a number in \[0.0, 60.0\]'),
])
def test_a_bad_parameter_at_start_is_one_sentence(start_node, parameter, value, words):
    node = start_node('perception_node', **{parameter: value})
    assert node.wait() == 2
    assert node.says(words)
    assert 'Traceback' not in node.output()


def test_unknown_parameters_are_named(client, start_node, weights):
    node = start_active(client, start_node, checkpoint=weights, iteratoins=3)
    assert node.says('perception_node has no parameter iteratoins; it has action_wait, autostart')


def test_parameters_change_at_run_time_or_are_refused_with_a_reason(client, camera):
    statuses = client.collect(PerceptionStatus, 'perception_node/status')
    assert client.set_parameter('perception_node', 'iterations', 2).successful
    camera(picture(1))
    client.until(lambda: statuses, 'status')
    assert statuses[-1].iterations == 2
    for name, value, words in (('iterations', 1000, 'out of range'),
                               ('window', 3, 'window is in use'),
                               ('device', 'tpu', "device is 'tpu', expected auto"),
                               ('autostart', False, 'read-only')):
        result = client.set_parameter('perception_node', name, value)
        assert not result.successful
        assert words in result.reason
    assert camera(picture(2)).frame == 1


def test_lifecycle(client, start_node, weights):
    node = start_node('perception_node', checkpoint=weights, autostart=False)
    assert state(client) == State.PRIMARY_STATE_UNCONFIGURED
    refused = client.call(Trigger, 'perception_node/reset')
    assert not refused.success
    assert 'not configured' in refused.message
    enabled = client.call(SetBool, 'perception_node/enable', data=True)
    assert enabled.success and 'the node is not active' in enabled.message
    assert change(client, Transition.TRANSITION_CONFIGURE)
    for _ in range(2):
        assert change(client, Transition.TRANSITION_ACTIVATE)
        slots = client.collect(SlotBeliefs, 'slots')
        images = client.heard_publisher(Image, 'image_raw', qos.IMAGE_OUT)
        client.until(lambda: images.publish(picture(1)) or slots, 'slots')
        assert change(client, Transition.TRANSITION_DEACTIVATE)
        client.node.destroy_publisher(images)
    assert change(client, Transition.TRANSITION_CLEANUP)
    assert state(client) == State.PRIMARY_STATE_UNCONFIGURED
    assert change(client, Transition.TRANSITION_CONFIGURE)
    assert node.stop()[0] == 0


def test_reset_and_enable(client, camera):
    camera(picture(1))
    assert camera(picture(2)).frame == 1
    assert client.call(Trigger, 'perception_node/reset').success
    assert camera(picture(3)).frame == 0
    off = client.call(SetBool, 'perception_node/enable', data=False)
    assert off.success and off.message
    count = len(camera.slots)
    camera.images.publish(picture(4))
    assert client.call(SetBool, 'perception_node/enable', data=True).success
    assert stamp_of(camera(picture(5))) == 5 * 10**9
    assert len(camera.slots) == count + 1


def test_a_reset_waits_for_no_action(client, camera):
    client.heard_publisher(ActionField, 'applied_action_field')
    assert client.set_parameter('perception_node', 'action_wait', 60.).successful
    camera(picture(1))
    before = len(camera.slots)
    # Sent once, it is under way to the worker when the reset comes, or waits there for an action.
    client.until(lambda: camera.images.publish(picture(2)) or client.call(
        Trigger, 'perception_node/reset').success and len(camera.slots) > before,
        'the answer', timeout=20)
    assert {(slots.header.stamp.sec, slots.frame) for slots in camera.slots[before:]} == {(2, 0)}
    assert 'no action for the previous image' not in camera.node.output()


@pytest.fixture
def perception(domain, weights):
    """Return an active node inside this process that has seen the image of second 10."""
    with inside(PerceptionNode, domain, checkpoint=weights, action_wait=60.,
                autostart=False) as node:
        node.trigger_configure()
        node.trigger_activate()
        node._receive_image(picture(10))
        node._process_newest()
        assert node._observer.frame == 0
        yield node


def test_a_reset_that_comes_just_before_the_waiting_for_an_action_ends_it(
        perception, monkeypatch):
    def told_meanwhile(topic):
        assert perception._reset(Trigger.Request(), Trigger.Response()).success
        return 1

    monkeypatch.setattr(perception, 'count_publishers', told_meanwhile)
    perception._receive_image(picture(11))
    begin = time.monotonic()
    perception._process_newest()
    assert time.monotonic() - begin < 30.
    assert (perception._observer.frame, perception._last) == (0, 11 * 10**9)


def test_a_deactivation_just_before_the_waiting_for_an_action_waits_for_none(
        perception, monkeypatch):
    thread = threading.Thread(target=perception.trigger_deactivate)

    def told_meanwhile(topic):
        before = perception._applied.interruptions
        thread.start()  # it waits for the image in work
        while perception._applied.interruptions == before:
            thread.join(timeout=.01)
        return 1

    monkeypatch.setattr(perception, 'count_publishers', told_meanwhile)
    perception._receive_image(picture(11))
    begin = time.monotonic()
    perception._process_newest()
    thread.join()
    assert time.monotonic() - begin < 30.
    assert not perception.complaints.count('missing')


def test_actions_on_images_of_before_the_clock_was_set_back_are_forgotten(perception):
    def known():
        return [stamp // 10**9 for stamp, _ in perception._applied.between(0, 2**62)]

    for second in (10, 11):
        perception._receive_action(applied(second))
    perception._receive_image(picture(1))
    perception._receive_action(applied(1))
    perception._process_newest()
    assert known() == [1]
    perception.trigger_deactivate()
    perception.trigger_cleanup()
    perception.trigger_configure()
    assert known() == []


def test_who_is_told_to_look_away_misses_nothing(client, start_node, weights):
    diagnostics = client.collect(DiagnosticArray, '/diagnostics')
    start_active(client, start_node, checkpoint=weights)
    assert client.call(SetBool, 'perception_node/enable', data=False).success
    client.until(lambda: diagnostics and diagnostics[-1].status[0].message
                 == 'disabled by ~/enable', 'diagnostics')
    assert client.call(SetBool, 'perception_node/enable', data=True).success
    client.until(lambda: diagnostics[-1].status[0].message == 'processing images', 'diagnostics')


def test_a_start_that_fails_leaves_the_node_unconfigured(domain, weights, monkeypatch, capfd):
    def fail(node):
        raise RuntimeError('no subscriptions today')

    monkeypatch.setattr(PerceptionNode, 'start', fail)
    with inside(PerceptionNode, domain, checkpoint=weights, autostart=False) as node:
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        node.trigger_activate()
        assert not node.active
        assert 'no subscriptions today' in capfd.readouterr().err
        # What was in use is free, and may be changed.
        assert node.set_parameters([Parameter('seed', value=3)])[0].successful
        monkeypatch.undo()
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS


def test_all_is_counted_from_the_moment_of_configuration(domain, weights, capfd):
    with inside(PerceptionNode, domain, checkpoint=weights, engine='graphs', device='cpu',
                autostart=False) as node:
        node.trigger_configure()
        assert '32x32 px) on cpu' in (said := capfd.readouterr().err)
        assert 'direct engine takes over' in said and 'graphs engine' not in said
        for stamp in (1, 2):
            node.complaints.add('image', 'no image')
            node._frames.put(stamp, None)
        assert (node.complaints.count('image'), node._frames.dropped) == (2, 1)
        node.trigger_cleanup()
        node.trigger_configure()
        assert (node.complaints.count('image'), node._frames.dropped) == (0, 0)


def test_as_many_threads_as_cores_can_be_had_again(domain, weights):
    import torch
    with inside(PerceptionNode, domain, checkpoint=weights, threads=0, autostart=False) as node:
        used, more = [], torch.get_num_threads() + 1
        for threads in (0, more, 0):
            assert node.set_parameters([Parameter('threads', value=threads)])[0].successful
            node.trigger_configure()
            used.append(node._worker.ask(torch.get_num_threads))
            node.trigger_cleanup()
    assert used == [used[0], more, used[0]] and used[0] != more


def test_the_end_of_the_node_closes_its_engine(domain, weights):
    with inside(PerceptionNode, domain, checkpoint=weights, engine='direct',
                autostart=False) as node:
        node.trigger_configure()
        engine = node._engine
        engine.prepared['anything'] = object()
    assert not engine.prepared


def test_silence_is_explained_and_diagnosed(client, start_node, weights):
    diagnostics = client.collect(DiagnosticArray, '/diagnostics')
    raw = client.publisher(Image, '/raw/image', qos.IMAGE_OUT)
    deaf = start_node('perception_node', {'__ns': '/deaf', 'image_raw': '/raw/image',
                                          '/diagnostics': '/deaf/diagnostics'},
                      checkpoint=weights, image_transport='compressed')
    node = start_active(client, start_node, {'image_raw': '/camera/image'}, checkpoint=weights)
    client.until(lambda: node.says(r'no image on /camera/image for 5 s \(publishers: 0\)'),
                 'a word on the silence')
    last = diagnostics[-1].status[0]
    assert last.name == 'perception_node: inference'
    assert {value.key: value.value for value in last.values}['device'] == 'cpu'
    client.until(lambda: diagnostics[-1].status[0].message == 'no image on /camera/image',
                 'diagnostics')
    client.until(lambda: deaf.says('there are raw ones: set image_transport to raw'), 'the hint')
    assert not raw.get_subscription_count()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_node_cleanly(camera, number):
    camera(picture(1))
    status, seconds = camera.node.stop(number)
    assert status == 0
    assert seconds < 2.0
    assert 'Traceback' not in camera.node.output()
