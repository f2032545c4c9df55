# SPDX-License-Identifier: Apache-2.0
"""camera_node: what it publishes of a video, and what it refuses to start with."""

import signal

import cv2
from harness import inside, stamp_of
import numpy as np
from obai_ros.messages import image
from obai_ros.nodes.camera_node import CameraNode
from obai_ros.nodes.parameters import ParameterError
import pytest
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

EVERY = QoSProfile(depth=100)
CALIBRATION = """\
image_width: {width}
image_height: 48
camera_matrix: {{rows: 3, cols: 3, data: [60, 0, 32, 0, 60, 24, 0, 0, 1]}}
distortion_model: plumb_bob
distortion_coefficients: {{rows: 1, cols: 5, data: [0.1, 0, 0, 0, 0]}}
rectification_matrix: {{rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}}
projection_matrix: {{rows: 3, cols: 4, data: [60, 0, 32, 0, 0, 60, 24, 0, 0, 0, 1, 0]}}
"""


@pytest.fixture
def video(tmp_path):
    """Return the path of a lossless video of five grey pictures of levels 0, 40, ... 160."""
    path = tmp_path / 'short.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'FFV1'), 50., (64, 48))
    for level in range(0, 200, 40):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return path


def test_a_video_is_published_with_its_calibration(client, domain, video, tmp_path):
    calibration = tmp_path / 'camera.yaml'
    calibration.write_text(CALIBRATION.format(width=64))
    images = client.collect(Image, '/front/camera/image_raw', EVERY)
    infos = client.collect(CameraInfo, '/front/camera/camera_info', EVERY)
    with inside(CameraNode, domain, {'__ns': '/front', 'image_raw': 'camera/image_raw'},
                source=str(video), camera_info_url=f'file://{calibration}', frame_id='eye'):
        client.until(lambda: len(images) >= 12 and len(infos) >= 12, 'pictures')
    levels = [int(image.to_rgb8(message)[0, 0, 0]) for message in images]
    # Which one is heard first depends on who found whom; from there on, round and round.
    assert levels == [(levels[0] + 40 * index) % 200 for index in range(len(levels))]
    stamps = list(map(stamp_of, images))
    assert stamps == sorted(set(stamps))
    assert set(stamps[1:11]) <= set(map(stamp_of, infos))
    assert {message.header.frame_id for message in (*images, *infos)} == {'eye'}
    assert list(infos[0].k) == [60, 0, 32, 0, 60, 24, 0, 0, 1]
    assert list(infos[0].d) == [.1, 0, 0, 0, 0]


def test_a_new_rate_takes_effect_at_once(client, domain, video):
    images = client.collect(Image, 'image_raw', EVERY)
    with inside(CameraNode, domain, source=str(video), rate=.001) as node:
        assert node.set_parameters([Parameter('rate', value=50.)])[0].successful
        client.until(lambda: len(images) > 3, 'pictures', timeout=20)


def test_a_calibration_for_another_size_is_not_published(client, domain, video, tmp_path):
    calibration = tmp_path / 'camera.yaml'
    calibration.write_text(CALIBRATION.format(width=65))
    infos = client.collect(CameraInfo, 'camera_info', EVERY)
    with inside(CameraNode, domain, source=str(video), camera_info_url=str(calibration)) as node:
        client.until(lambda: infos, 'camera_info')
        assert node.complaints.count('calibration')
    assert (infos[0].width, infos[0].height, infos[0].k[0]) == (64, 48, 0.)


@pytest.mark.parametrize('parameters, words', [
    ({'source': '/dev/video250'}, 'There is no camera /dev/video250. (The|No) camera.* The param'),
    ({'source': 'nowhere.mp4'}, "There is no 'nowhere.mp4'; expected a camera such as"),
    ({'source': '{tmp_path}'}, 'holds no image; expected files that end in'),
    ({'source': '{tmp_path}/broken.mp4'}, 'broken.mp4 cannot be read: it is damaged'),
    ({'source': ''}, "source is '', expected a camera such as /dev/video0, a video file, or a"),
    ({'source': '{video}', 'camera_info_url': 'none.yaml'},
     'parameter camera_info_url: the calibration none.yaml cannot be read: No such file'),
    ({'source': '{video}', 'camera_info_url': 'package://nobody/c.yaml'},
     "no package 'nobody' in AMENT_PREFIX_PATH"),
])
def test_what_cannot_work_is_refused_in_a_sentence(domain, tmp_path, video, parameters, words):
    folder = tmp_path / 'nothing'
    folder.mkdir()
    (folder / 'broken.mp4').write_bytes(video.read_bytes()[:200])
    given = {name: value.format(tmp_path=folder, video=video)
             for name, value in parameters.items()}
    with pytest.raises(ParameterError, match=words), inside(CameraNode, domain, **given):
        pass


def test_a_missing_camera_ends_the_process_in_a_sentence(start_node):
    node = start_node('camera_node', source='/dev/video250')
    assert node.wait() == 2
    assert node.says('There is no camera /dev/video250')
    assert 'Traceback' not in node.output()


def test_a_video_ends_and_the_node_stays(client, start_node, video):
    node = start_node('camera_node', source=str(video), loop=False)
    client.until(lambda: node.says('short.avi has ended after 5 pictures; loop:=true begins'),
                 'the end of the video')
    assert node.running()
    status, seconds = node.stop(signal.SIGTERM)
    assert status == 0 and seconds < 2.
