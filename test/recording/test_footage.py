# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from obai_ros.recording.footage import Footage, Framing


def footage(piece, labels=True):
    count = len(piece)
    level = np.arange(count, dtype=np.uint8)
    images = np.broadcast_to(level[:, None, None, None], (count, 4, 4, 3))
    return Footage(images, images[..., 0] if labels else None, np.array(piece, np.int64),
                   np.array([1, 1, 4], np.int64),
                   np.array([[0, 1, 2, 3], [1, 1, 5, 6], [3, 3, 7, 8]], np.float32))


def test_clips_do_not_reach_over_breaks():
    video = footage([0, 0, 0, 0, 1, 1, 3, 3, 3])
    assert video.frames == 9 and video.pieces == 3
    assert video.starts(3).tolist() == [0, 1, 6]
    assert video.starts(2).tolist() == [0, 1, 2, 4, 6, 7]
    assert video.in_a_row(2).tolist() == [0, 2, 4, 6]
    assert footage([0, 0, 0, 1, 1, 1]).in_a_row(2).tolist() == [0, 3]
    assert video.starts(5).tolist() == [] and video.starts(10).tolist() == []


def test_clips_have_their_frames_and_their_actions():
    images, labels, actions = footage([0] * 6).clips([0, 3, 1], 3)
    assert images[..., 0, 0, 0].tolist() == [[0, 1, 2], [3, 4, 5], [1, 2, 3]]
    assert np.array_equal(images[..., 0], labels)
    # (clip, frame in it, row, col, ax, ay)
    assert actions.tolist() == [[0, 1, 0, 1, 2, 3], [0, 1, 1, 1, 5, 6], [1, 1, 3, 3, 7, 8],
                                [2, 0, 0, 1, 2, 3], [2, 0, 1, 1, 5, 6]]
    assert actions.dtype == np.float32


def test_without_truth_and_without_actions():
    images, labels, actions = footage([0] * 6, labels=False).clips([2], 2)
    assert labels is None and actions.shape == (0, 6) and images.shape == (1, 2, 4, 4, 3)


@pytest.mark.parametrize('height, width', [(6, 10), (10, 6), (6, 6)])
def test_the_middle_square_is_kept(height, width):
    row, col = np.indices((height, width))
    image = np.stack([row, col, 0 * row], -1).astype(np.uint8)
    fitted = Framing(6).picture(image)
    top, left = (height - 6) // 2, (width - 6) // 2
    assert np.array_equal(fitted, image[top:top + 6, left:left + 6])


def test_a_letterbox_has_no_object_outside_and_points_where_they_belong():
    labels = np.ones((4, 8), np.uint8)
    framing = Framing(8, 'letterbox')
    framed = framing.labels(labels)
    assert framed.sum() == 32 and (framed[2:6] == 1).all()
    points, _ = framing.points(np.array([0, 3]), np.array([0, 7]), np.ones((2, 2)), 4, 8)
    assert points.tolist() == [[2, 0, 1, 1], [5, 7, 1, 1]]
    points, _ = Framing(8, 'stretch').points(np.array([3]), np.array([7]), np.ones((1, 2)), 4, 8)
    assert points.tolist() == [[7, 7, 1, 2]]


@pytest.mark.parametrize('size', [3, 12])
def test_pictures_labels_and_points_stay_together(size):
    image = np.zeros((6, 8, 3), np.uint8)
    image[2:4, 3:5] = 255  # rows 2, 3 and columns 2, 3 of the middle square
    framing = Framing(size)
    labels = framing.labels((image[..., 0] > 0).astype(np.uint8))
    points, inside = framing.points(np.array([2, 3, 0]), np.array([3, 4, 0]),
                        np.array([[6.0, -6.0]] * 3), 6, 8)
    assert inside.tolist() == [True, True, False] and points.shape == (2, 4)
    for row, col, ax, ay in points:
        assert labels[int(row), int(col)] == 1
        assert framing.picture(image)[int(row), int(col), 0] > 100
        assert (ax, ay) == (size, -size)  # px/frame^2 of smaller or larger pixels
