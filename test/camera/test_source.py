# SPDX-License-Identifier: Apache-2.0
"""Cameras, videos and folders as sources of pictures."""
import cv2
import numpy as np
from obai_ros.camera import source
from obai_ros.camera.devices import describe_cameras, list_cameras
from obai_ros.camera.source import CameraError, open_source
import pytest


def save(path, picture):
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def test_a_video_is_read_in_order_and_begins_anew(video, pictures):
    opened = open_source(str(video))
    assert (opened.live, opened.rate) == (False, 20.)
    for expected in (*pictures, *pictures, pictures[0]):
        np.testing.assert_array_equal(opened.read(), expected)
    opened.close()


def test_a_video_ends_if_it_is_not_to_loop(video, pictures):
    opened = open_source(str(video), loop=False)
    assert [opened.read() is None for _ in range(5)] == [False] * 3 + [True] * 2


def test_a_folder_is_read_in_the_order_of_numbers(tmp_path, pictures):
    for name, picture in zip(('image9.png', 'image10.png', 'image100.png'), pictures):
        save(tmp_path / name, picture)
    (tmp_path / 'readme.txt').write_text('no picture')
    once, forever = open_source(str(tmp_path), loop=False), open_source(str(tmp_path))
    for expected in pictures:
        np.testing.assert_array_equal(once.read(), expected)
        np.testing.assert_array_equal(forever.read(), expected)
    assert once.read() is None
    np.testing.assert_array_equal(forever.read(), pictures[0])


def test_a_superscript_in_a_name_is_no_number(tmp_path, pictures):
    for name, picture in zip(('1²2.png', '1²10.png', '²3.png'), pictures):
        save(tmp_path / name, picture)
    opened = open_source(str(tmp_path), loop=False)
    for expected in pictures:
        np.testing.assert_array_equal(opened.read(), expected)


@pytest.mark.parametrize('damage', ['no picture', 'too wide'])
def test_one_bad_image_does_not_end_a_folder(tmp_path, pictures, damage):
    for name, picture in zip('acd', pictures):
        save(tmp_path / f'{name}.png', picture)
    whole = bytearray(cv2.imencode('.bmp', pictures[0])[1].tobytes())
    whole[20] |= 32  # 2^21 px wide: OpenCV raises an error of its own
    (tmp_path / 'b.bmp').write_bytes(b'no picture' if damage == 'no picture' else whole)
    opened = open_source(str(tmp_path))
    opened.read()
    with pytest.raises(CameraError, match=r'b\.bmp cannot be read: .* take another one'):
        opened.read()
    np.testing.assert_array_equal(opened.read(), pictures[1])


@pytest.mark.parametrize('name, content, words', [
    ('cut.avi', lambda whole: whole[:300], 'cut.avi cannot be read: .* ffmpeg -i cut.avi'),
    ('text.mp4', lambda whole: b'hello', 'text.mp4 cannot be read'),
    ('empty.mp4', lambda whole: b'', 'empty.mp4 cannot be read'),
])
def test_a_broken_video_is_one_sentence(tmp_path, video, capfd, name, content, words):
    path = tmp_path / name
    path.write_bytes(content(video.read_bytes()))
    with pytest.raises(CameraError, match=words):
        open_source(str(path))
    assert capfd.readouterr() == ('', ''), 'OpenCV or FFmpeg speak for themselves'


def test_what_is_not_there_is_said_with_what_there_is(tmp_path):
    with pytest.raises(CameraError, match="There is no 'nowhere.avi'; expected a camera such as"):
        open_source('nowhere.avi')
    with pytest.raises(CameraError, match="There is no '~nobody_here/a.avi'; expected a camera"):
        open_source('~nobody_here/a.avi')
    with pytest.raises(CameraError, match='holds no image; expected files that end in .bmp'):
        open_source(str(tmp_path))
    with pytest.raises(CameraError, match='/dev/null is no camera; expected /dev/videoN'):
        open_source('/dev/null')
    for name in ('250', '/dev/video250'):
        with pytest.raises(CameraError, match='There is no camera /dev/video250. (The|No) camera'):
            open_source(name)


def test_cameras_are_listed_by_number_with_their_names(tmp_path):
    assert 'No camera was found at all' in describe_cameras(tmp_path)
    (tmp_path / 'dev').mkdir()
    for name in ('video10', 'video2', 'video', 'videox'):
        (tmp_path / 'dev' / name).touch()
    label = tmp_path / 'sys' / 'class' / 'video4linux' / 'video2' / 'name'
    label.parent.mkdir(parents=True)
    label.write_text('Good Camera\n')
    assert [device.number for device in list_cameras(tmp_path)] == [2, 10]
    assert describe_cameras(tmp_path) == (
        f'The cameras found are {tmp_path}/dev/video2 (Good Camera), {tmp_path}/dev/video10.')


class FakeCapture:
    """Stands in for cv2.VideoCapture of a camera; `sends` is shared: False ends a picture run."""

    sends: list = []
    opened = 0

    def __init__(self, number):
        FakeCapture.opened += 1
        self.asked = {}

    def isOpened(self):
        return bool(self.sends)

    def set(self, key, value):
        self.asked[key] = value

    def get(self, key):
        return 30.

    def read(self):
        level = self.sends.pop(0)
        return level is not None, np.full((4, 6, 3), level or 0, np.uint8)

    def release(self):
        pass


@pytest.fixture
def camera(monkeypatch):
    """Return a function that lets there be a camera that sends these levels; None: it fails."""
    monkeypatch.setattr(source.cv2, 'VideoCapture', FakeCapture)
    monkeypatch.setattr(source.os.path, 'exists', lambda path: True)

    def plug(*levels):
        FakeCapture.sends[:] = levels
    yield plug
    FakeCapture.sends[:] = []


def test_a_camera_that_went_away_is_opened_again(camera):
    camera(1, 2, None, 3)
    opened = open_source('0', width=640)
    assert (opened.live, opened.rate) == (True, 30.)
    assert opened.read()[0, 0, 0] == 1
    assert opened.read()[0, 0, 0] == 2
    with pytest.raises(CameraError, match='The camera /dev/video0 sends no picture: check its'):
        opened.read()
    before = FakeCapture.opened
    assert opened.read()[0, 0, 0] == 3
    assert FakeCapture.opened == before + 1


def test_a_camera_that_cannot_be_opened_says_what_to_check(camera):
    camera()
    with pytest.raises(CameraError, match='/dev/video0 cannot be opened: another program may'):
        open_source('/dev/video0')
