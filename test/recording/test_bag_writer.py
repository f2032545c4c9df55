# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from rosbags.rosbag2 import Reader
import yaml

from obai_ros.recording import RecordingError
from obai_ros.recording.bag_writer import BagWriter, Offered

PIXELS = np.zeros((4, 6, 3), np.uint8)


def test_the_folder_appears_when_it_is_complete(script, tmp_path):
    script.image(0, PIXELS)
    assert not (tmp_path / 'bag').exists()
    script.writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['bag']
    assert sorted(path.name for path in (tmp_path / 'bag').iterdir()) == [
        'bag.mcap', 'metadata.yaml']


def test_readers_of_ros_find_types_qualities_and_definitions(tmp_path):
    with BagWriter(tmp_path / 'bag') as writer:
        writer.add_topic('/goal', 'obai_ros/msg/Goal', Offered(latched=True, depth=1))
        writer.add_topic('/image_raw', 'sensor_msgs/msg/Image', Offered(reliable=False))
        writer.write('/goal', 7, bytes(24))
    information = yaml.safe_load((tmp_path / 'bag' / 'metadata.yaml').read_text())[
        'rosbag2_bagfile_information']
    assert information['storage_identifier'] == 'mcap' and information['message_count'] == 1
    assert information['relative_file_paths'] == ['bag.mcap']
    goal, images = (entry['topic_metadata'] for entry in information['topics_with_message_count'])
    assert goal['serialization_format'] == 'cdr'
    assert goal['offered_qos_profiles'][0]['durability'] == 'transient_local'
    assert images['offered_qos_profiles'][0]['reliability'] == 'best_effort'
    with Reader(tmp_path / 'bag') as reader:
        definitions = {connection.topic: connection.msgdef for connection in reader.connections}
        assert 'float32 spread' in definitions['/goal'].data
        assert [(stamp, raw) for _, stamp, raw in reader.messages()] == [(7, bytes(24))]
    head = (tmp_path / 'bag' / 'bag.mcap').read_bytes()[:40]
    assert b'ros2' in head, 'the profile by which viewers know what is inside'


def test_nothing_stays_after_a_failure_or_without_messages(tmp_path):
    with pytest.raises(ZeroDivisionError), BagWriter(tmp_path / 'bag') as writer:
        writer.add_topic('/image_raw', 'sensor_msgs/msg/Image')
        raise ZeroDivisionError
    with pytest.raises(RecordingError, match='nothing was recorded.*--topics'):
        with BagWriter(tmp_path / 'bag') as writer:
            writer.add_topic('/image_raw', 'sensor_msgs/msg/Image')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('fault, expected, words', [
    (RuntimeError('no context'), RecordingError, 'RuntimeError: no context.* complete in .*/bag'),
    (KeyboardInterrupt(), KeyboardInterrupt, None)], ids=['failure', 'interruption'])
def test_what_was_recorded_before_a_failure_is_a_complete_bag(tmp_path, fault, expected, words):
    with pytest.raises(expected, match=words):
        with BagWriter(tmp_path / 'bag') as writer:
            writer.add_topic('/goal', 'obai_ros/msg/Goal')
            writer.write('/goal', 7, bytes(24))
            raise fault
    assert [path.name for path in tmp_path.iterdir()] == ['bag']
    with Reader(tmp_path / 'bag') as reader:
        assert [(stamp, raw) for _, stamp, raw in reader.messages()] == [(7, bytes(24))]


def test_a_bag_is_never_overwritten(script, tmp_path):
    script.image(0, PIXELS)
    script.writer.close()
    with pytest.raises(RecordingError, match='exists already.*--out'):
        BagWriter(tmp_path / 'bag')


def test_a_full_disk_does_not_cost_what_was_recorded_before(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    with pytest.raises(RecordingError, match='No space left on device.*mcap recover') as caught:
        with BagWriter(tmp_path / 'bag') as writer:
            writer.add_topic('/goal', 'obai_ros/msg/Goal')
            writer.write('/goal', 7, bytes(2 ** 21))
            monkeypatch.setattr(writer._writer, 'write', full)
            writer.write('/goal', 8, bytes(24))
    assert not (tmp_path / 'bag').exists()
    kept, = tmp_path.glob('.bag.*/bag/bag.mcap')
    assert str(kept.parents[1]) in str(caught.value) and kept.stat().st_size > 100


def test_a_disk_that_is_full_at_the_end_does_not_either(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    with pytest.raises(RecordingError, match='No space left on device.*mcap recover') as caught:
        with BagWriter(tmp_path / 'bag') as writer:
            writer.add_topic('/goal', 'obai_ros/msg/Goal')
            writer.write('/goal', 7, bytes(24))
            monkeypatch.setattr(writer._writer, 'close', full)
            monkeypatch.setattr(writer._writer, 'abort', full)  # which flushes to that disk, too
    workshop, = tmp_path.iterdir()
    assert str(workshop) in str(caught.value) and list(workshop.glob('bag/bag.mcap'))
