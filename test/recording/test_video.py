# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from obai_ros.recording import RecordingError
from obai_ros.recording.footage import Framing
from obai_ros.recording.video import read_videos, videos_in


def write_video(path, levels, height=48, width=64):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (width, height))
    assert writer.isOpened()
    for level in levels:
        writer.write(np.full((height, width, 3), level, np.uint8))
    writer.release()


def test_each_video_is_a_piece_without_actions(tmp_path):
    write_video(tmp_path / 'b.avi', [100, 120])
    write_video(tmp_path / 'a.avi', [0, 20, 40], 64, 48)
    (tmp_path / 'notes.txt').write_text('not a video')
    footage = read_videos(videos_in(tmp_path), Framing(16))
    assert footage.images.shape == (5, 16, 16, 3) and footage.piece.tolist() == [0, 0, 0, 1, 1]
    assert np.allclose(footage.images[:, 8, 8, 0], [0, 20, 40, 100, 120], atol=3)
    assert footage.labels is None and len(footage.acted) == len(footage.points) == 0


def test_an_unreadable_video_is_refused_in_a_sentence(tmp_path):
    (tmp_path / 'broken.mp4').write_bytes(b'this is no video')
    with pytest.raises(RecordingError, match='broken.mp4 cannot be read'):
        read_videos(videos_in(tmp_path), Framing(16))


def test_a_video_that_was_cut_off_is_refused(tmp_path):
    write_video(tmp_path / 'whole.avi', range(0, 250, 5))
    whole = (tmp_path / 'whole.avi').read_bytes()
    assert len(read_videos([tmp_path / 'whole.avi'], Framing(16)).images) == 50
    (tmp_path / 'cut.avi').write_bytes(whole[:len(whole) // 2])
    with pytest.raises(RecordingError, match='says that it has 50 pictures, but after 1. no more'):
        read_videos([tmp_path / 'cut.avi'], Framing(16))


def test_images_of_several_sizes_in_a_folder_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / '1.png'), np.zeros((20, 20, 3), np.uint8))
    cv2.imwrite(str(tmp_path / '2.png'), np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(RecordingError, match='20x20 and of 30x20 px, expected one size'):
        read_videos([tmp_path], Framing(16))
