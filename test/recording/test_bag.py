# SPDX-License-Identifier: Apache-2.0
import shutil

import cv2
import numpy as np
import pytest
from rosbags.convert.converter import convert
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

from obai_ros.recording import RecordingError
from obai_ros.recording.bag import ACTION, bag_at, choose_topic, companion, IMAGE, read_bag
from obai_ros.recording.footage import Framing
from obai_ros.training.recorded import read_footage


def as_sqlite(bag, converted):
    convert([bag], converted, 'sqlite3', 8, None, 'file', None, None, (), (), (), ())


def picture(level, height=8, width=8):
    return np.full((height, width, 3), level, np.uint8)


def loop(script, frames=4):
    """Play what a simulator publishes; frame t is of level 10 t, one point acts on frame 1."""
    for frame in range(frames):
        script.image(frame, np.full((8, 8), frame % 2, np.uint8), '/ground_truth/label_image')
        script.image(frame, picture(10 * frame))
        points = ([2], [6], [[4.0, -2.0]]) if frame == 1 else ([], [], np.zeros((0, 2)))
        script.action(frame, *points, 8, 8)


def test_images_truth_and_actions_are_joined_by_stamp(script, tmp_path):
    loop(script)
    script.image(2, picture(99))  # the simulator sent frame 2 again
    script.text(2)
    script.writer.close()
    footage = read_bag(tmp_path / 'bag', Framing(8))
    assert footage.images[:, 0, 0, 0].tolist() == [0, 10, 20, 30]
    assert footage.labels[:, 0, 0].tolist() == [0, 1, 0, 1]
    assert footage.piece.tolist() == [0, 0, 0, 0]
    assert footage.acted.tolist() == [1] and footage.points.tolist() == [[2.0, 6.0, 4.0, -2.0]]


def test_other_sizes_are_fitted_and_actions_with_them(script, tmp_path):
    loop(script)
    script.writer.close()
    footage = read_bag(tmp_path / 'bag', Framing(4))
    assert footage.images.shape == (4, 4, 4, 3) and footage.labels.shape == (4, 4, 4)
    assert footage.points.tolist() == [[1.0, 3.0, 2.0, -1.0]]


def test_actions_of_a_camera_are_on_the_grid_of_the_model(script, tmp_path):
    script.image(0, picture(0, 24, 32))
    script.action(0, [1, 7], [2, 0], [[4.0, -2.0], [1.0, 0.0]], 8, 8)
    script.image(1, picture(0, 24, 32))
    script.action(1, [12], [16], [[3.0, 0.0]], 24, 32)
    script.writer.close()
    footage = read_bag(tmp_path / 'bag', Framing(8))
    assert footage.acted.tolist() == [0, 0, 1]
    # As they are; those on the grid of the image come with it: a third of its middle square.
    assert footage.points.tolist() == [
        [1.0, 2.0, 4.0, -2.0], [7.0, 0.0, 1.0, 0.0], [4.0, 4.0, 1.0, 0.0]]


def test_what_a_remapped_camera_leaves_behind_is_found(script, tmp_path):
    script.image(0, picture(1), '/camera/image_raw')
    script.image(0, np.zeros((8, 8), np.uint8), '/ground_truth/label_image')
    script.action(0, [1], [1], [[1.0, 1.0]], 8, 8)
    script.writer.close()
    footage = read_bag(tmp_path / 'bag', Framing(8))
    assert len(footage.points) == 1 and footage.labels is not None
    assert footage.origin == ('images of /camera/image_raw, actions of /applied_action_field, '
                              'truth of /ground_truth/label_image')


@pytest.mark.parametrize('others', [
    ('/image_raw', '/applied_action_field'),
    ('/image_raw/compressed', '/applied_action_field'),
    ('/left/applied_action_field', '/right/applied_action_field')])
def test_actions_that_may_be_about_other_images_are_left_alone(others):
    kinds = {'/camera/image_raw': IMAGE, **{
        name: ACTION if name.endswith('field') else IMAGE for name in others}}
    assert companion(kinds, '/camera/image_raw', 'applied_action_field', ACTION) is None


def test_sqlite_bags_are_read_as_well(script, tmp_path):
    loop(script)
    script.writer.close()
    as_sqlite(tmp_path / 'bag', tmp_path / 'old')
    assert list((tmp_path / 'old').glob('*.db3'))
    one, two = (read_bag(tmp_path / name, Framing(8)) for name in ('bag', 'old'))
    assert np.array_equal(one.images, two.images) and np.array_equal(one.points, two.points)


def test_bags_of_ros_1_are_read_as_well(tmp_path):
    store = get_typestore(Stores.ROS1_NOETIC)
    time, header = store.types['builtin_interfaces/msg/Time'], store.types['std_msgs/msg/Header']
    with Rosbag1Writer(tmp_path / 'old.bag') as writer:
        connection = writer.add_connection('/image_raw', IMAGE, typestore=store)
        for frame in range(3):
            shown = store.types[IMAGE](header(frame, time(1, frame), 'camera'), 8, 8, 'rgb8', 0,
                                       24, picture(frame).ravel())
            writer.write(connection, 1 + frame, store.serialize_ros1(shown, IMAGE))
    footage = read_bag(bag_at(tmp_path / 'old.bag'), Framing(8))
    assert footage.images[:, 0, 0, 0].tolist() == [0, 1, 2] and footage.pieces == 1


def test_videos_break_where_the_simulator_was_reset_or_frames_are_missing(script, tmp_path):
    for frame in range(9):
        if frame != 6:
            script.image(frame, picture(frame))
        script.action(frame, [], [], np.zeros((0, 2)), 8, 8, cut=frame == 2)
    script.writer.close()
    # Frame 6 was lost, but not the action on it: 7 does not follow from 5.
    assert read_bag(tmp_path / 'bag', Framing(8)).piece.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]


def test_a_camera_has_gaps_in_time(script, tmp_path):
    for frame in (0, 1, 2.2, 3, 9, 10, 11):
        script.image(frame, picture(0), '/camera/color/image_raw')
    script.writer.close()
    footage = read_bag(tmp_path / 'bag', Framing(8))
    assert footage.labels is None and len(footage.acted) == 0
    assert footage.piece.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_compressed_images_are_decoded(script, tmp_path):
    good = cv2.imencode('.png', np.dstack([picture(0)[..., 0], picture(0)[..., 0],
                                           picture(200)[..., 0]]))[1]
    script.compressed(0, good.tobytes(), '/camera/image_raw/compressed')
    script.writer.close()
    assert read_bag(tmp_path / 'bag', Framing(8)).images[0, 0, 0].tolist() == [200, 0, 0]


def test_a_namespace_keeps_what_belongs_together(script, tmp_path):
    script.image(0, picture(1), '/left/image_raw')
    script.image(0, picture(2), '/right/image_raw')
    script.action(0, [1], [1], [[1.0, 1.0]], 8, 8, topic='/right/applied_action_field')
    script.writer.close()
    left, right = (read_bag(tmp_path / 'bag', Framing(8), f'{side}/image_raw')
                   for side in ('left', 'right'))
    assert left.images.max() == 1 and len(left.points) == 0
    assert 'no actions (none on applied_action_field that belongs to them)' in left.origin
    assert right.images.max() == 2 and len(right.points) == 1
    with pytest.raises(RecordingError, match='/left/image_raw, /right/image_raw.*--image-topic'):
        read_bag(tmp_path / 'bag', Framing(8))


@pytest.mark.parametrize('kinds, wanted, chosen', [
    ({'/image_raw': 'sensor_msgs/msg/Image', '/label_image': 'sensor_msgs/msg/Image'}, '',
     '/image_raw'),
    ({'/a': 'sensor_msgs/msg/Image', '/b': 'std_msgs/msg/String'}, '', '/a'),
    ({'/image_raw': 'sensor_msgs/msg/Image', '/a': 'sensor_msgs/msg/Image'}, 'a', '/a')])
def test_the_topic_is_found(tmp_path, kinds, wanted, chosen):
    assert choose_topic(tmp_path, kinds, wanted) == chosen


def bad_mixed(script):
    script.image(0, picture(0))
    script.image(1, picture(0, 8, 12))


def bad_encoding(script):
    script.compressed(0, b'this is no picture')


def bad_truth(script):
    script.image(0, picture(0))
    script.image(1, np.zeros((8, 8), np.uint8), '/ground_truth/label_image')


def coloured_truth(script):
    script.image(0, picture(0))
    script.image(0, picture(0), '/ground_truth/label_image')


def bad_grid(script):
    script.image(0, picture(0, 24, 32))
    script.action(0, [1], [1], [[1.0, 1.0]], 16, 16)


@pytest.mark.parametrize('play, complaint', [
    (lambda script: script.text(0), 'has no images, only /words: record .*sensor_msgs/msg/Image'),
    (bad_mixed, 'images of 8x8 and of 12x8 px are mixed, expected one size'),
    (bad_encoding, 'cannot be decoded, expected a whole JPEG or PNG'),
    (bad_truth, 'no image on /image_raw whose truth is on /ground_truth/label_image'),
    (coloured_truth, "label_image: the truth has encoding 'rgb8', expected .*8UC1"),
    (bad_grid, 'a grid of 16x16 px, expected 8x8, .* or 24x32')])
def test_what_cannot_be_learned_from_is_refused_in_a_sentence(script, tmp_path, play, complaint):
    play(script)
    script.writer.close()
    with pytest.raises(RecordingError, match=complaint):
        read_bag(tmp_path / 'bag', Framing(8))


def test_messages_of_another_version_are_refused_with_what_they_lack(script, tmp_path):
    script.image(0, picture(0))
    older = get_types_from_msg('std_msgs/Header header\nuint32 height\nuint32 width\n', ACTION)
    store = get_typestore(Stores.ROS2_KILTED)
    store.register(older)
    writer = Writer(tmp_path / 'older', version=9)
    with writer:
        connection = writer.add_connection('/applied_action_field', ACTION, typestore=store)
        message = store.types[ACTION](script.header(0), 8, 8)
        writer.write(connection, 1, store.serialize_cdr(message, ACTION))
        connection = writer.add_connection('/image_raw', IMAGE, typestore=store)
        image = store.types[IMAGE](script.header(0), 8, 8, 'mono8', 0, 8, np.zeros(64, np.uint8))
        writer.write(connection, 1, store.serialize_cdr(image, IMAGE))
    with pytest.raises(RecordingError, match='without row, col, ax, ay, cut: record it anew'):
        read_bag(tmp_path / 'older', Framing(8))


def test_a_compressed_file_is_refused_with_what_unpacks_it(tmp_path):
    path = tmp_path / 'bag_0.mcap.zstd'
    path.write_bytes(b'\x28\xb5\x2f\xfd')
    with pytest.raises(RecordingError, match='unpack it first, `zstd -d bag_0.mcap.zstd`'):
        read_footage(path, 64)


def test_a_topic_that_is_not_there_is_refused_with_those_that_are(script, tmp_path):
    script.image(0, picture(0))
    script.writer.close()
    with pytest.raises(RecordingError, match='no images on /front/image: name one of /image_raw'):
        read_bag(tmp_path / 'bag', Framing(8), '/front/image')


def test_an_empty_bag_is_refused(script, tmp_path):
    script.writer.add_topic('/image_raw', 'sensor_msgs/msg/Image')
    script.writer._writer.close()  # as `ros2 bag record` leaves one when nobody published
    shutil.move(next(tmp_path.glob('.bag.*')) / 'bag', tmp_path / 'bag')
    with pytest.raises(RecordingError, match='is empty: record it anew'):
        read_bag(tmp_path / 'bag', Framing(8))


def test_a_recording_that_was_killed_is_refused(script, tmp_path):
    script.image(0, picture(0))
    script.writer.close()
    whole = (tmp_path / 'bag' / 'bag.mcap').read_bytes()
    (tmp_path / 'bag' / 'metadata.yaml').unlink()
    (tmp_path / 'bag' / 'bag.mcap').write_bytes(whole[:len(whole) // 2])
    opened = bag_at(tmp_path / 'bag')
    assert opened == tmp_path / 'bag' / 'bag.mcap'
    with pytest.raises(RecordingError, match='cannot be read as a bag.*reindex'):
        read_bag(opened, Framing(8))


def test_a_damaged_bag_is_refused(script, tmp_path):
    for frame in range(4):
        script.image(frame, picture(frame))
    script.writer.close()
    file = tmp_path / 'bag' / 'bag.mcap'
    whole = file.read_bytes()
    begin = whole.index(bytes.fromhex('28b52ffd'))  # of what Zstandard has compressed
    file.write_bytes(whole[:begin + 8] + bytes(64) + whole[begin + 72:])
    with pytest.raises(RecordingError, match='bag cannot be read as a bag .*copied whole'):
        read_bag(tmp_path / 'bag', Framing(8))


def test_a_damaged_sqlite_bag_is_refused(script, tmp_path):
    script.image(0, picture(0))
    script.writer.close()
    as_sqlite(tmp_path / 'bag', tmp_path / 'old')
    file, = (tmp_path / 'old').glob('*.db3')
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    with pytest.raises(RecordingError, match='old cannot be read as a bag'):
        read_bag(tmp_path / 'old', Framing(8))


def test_what_is_a_bag(tmp_path):
    assert bag_at(tmp_path) is None
    (tmp_path / 'a.db3').touch()
    (tmp_path / 'b.db3').touch()
    assert bag_at(tmp_path / 'a.db3') == tmp_path / 'a.db3'
    with pytest.raises(RecordingError, match='2 files of bags: run .ros2 bag reindex'):
        bag_at(tmp_path)
    (tmp_path / 'metadata.yaml').touch()
    assert bag_at(tmp_path) == tmp_path
