# SPDX-License-Identifier: Apache-2.0
"""Overlay: what is drawn is where it is said to be, and nothing else changes."""
import numpy as np
from obai_ros.messages import overlay
import pytest


def _scene():
    """Grey image with slot 0 at rows 2..5, columns 2..7 and slot 2 at rows 10..13, cols 8..11."""
    image = np.full((16, 20, 3), 100, np.uint8)
    labels = np.zeros((16, 20), np.uint8)
    labels[2:6, 2:8] = 1
    labels[10:14, 8:12] = 3
    return image, labels


def test_slot_colours_are_distinct_stable_and_repeat_darker():
    colours = overlay.slot_colours(14)
    assert colours.shape == (14, 3) and colours.dtype == np.uint8
    assert len({tuple(colour) for colour in colours}) == 14
    assert (overlay.slot_colours(4) == colours[:4]).all()
    assert (colours[7:].sum(1, dtype=int) < colours[:7].sum(1, dtype=int)).all()
    assert overlay.slot_colours(0).shape == (0, 3)
    with pytest.raises(ValueError, match='-1'):
        overlay.slot_colours(-1)


@pytest.mark.parametrize('scale', [1, 4, 6])
def test_size_type_and_no_change_of_the_arguments(scale):
    image, labels = _scene()
    before = image.copy(), labels.copy()
    picture = overlay.draw(image, labels, ([3], [4], [2.0], [0.0]), [(10.0, 8.0)], scale)
    assert picture.shape == (16 * scale, 20 * scale, 3) and picture.dtype == np.uint8
    assert (image == before[0]).all() and (labels == before[1]).all()


def test_nothing_to_draw_is_the_enlarged_image():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    enlarged = np.kron(image, np.ones((3, 3, 1), np.uint8))
    assert (overlay.draw(image, scale=3) == enlarged).all()
    assert (overlay.draw(image, np.zeros((5, 7), np.uint8), ([], [], [], []), [], 3)
            == enlarged).all()
    assert (overlay.draw(image, arrows=([1], [1], [0.0], [0.0]), scale=3) == enlarged).all()


def test_slots_are_outlined_in_their_colour_and_the_background_is_left_alone():
    image, labels = _scene()
    picture = overlay.draw(image, labels, scale=6)
    large = labels.repeat(6, 0).repeat(6, 1)
    assert (picture[large == 0] == 100).all()
    for slot, (row, col) in ((0, (2, 2)), (2, (10, 8))):
        colour = overlay.slot_colours(3)[slot]
        assert (picture[6 * row, 6 * col] == colour).all()
        inside = picture[6 * (row + 2), 6 * (col + 2)].astype(int)
        assert (np.abs(inside - (0.7 * 100 + 0.3 * colour)) <= 1).all()


def test_unlabelled_pixels_are_hatched_not_coloured():
    image, labels = _scene()
    labels[:] = 255
    picture = overlay.draw(image, labels, scale=4)
    assert 0 < (picture != 100).any(-1).mean() < 0.5
    assert (picture == picture[..., :1]).all()


@pytest.mark.parametrize('ax, ay', [(5, 0), (-5, 0), (0, 5), (0, -5)])
def test_an_arrow_starts_at_its_pixel_and_ends_an_acceleration_further(ax, ay):
    image = np.full((21, 21, 3), 100, np.uint8)
    picture = overlay.draw(image, arrows=([10], [10], [ax], [ay]), scale=6)
    rows, cols = np.nonzero((picture == 255).all(-1))
    centre, reach = 6 * 10.5, 6 * 5
    ends = (cols.min(), cols.max()) if ax else (rows.min(), rows.max())
    far, near = (ends[1], ends[0]) if ax + ay > 0 else (ends[0], ends[1])
    assert abs(far - (centre + np.sign(ax + ay) * reach)) <= 3
    assert abs(near - centre) <= 6
    across = rows if ax else cols
    assert abs(across.mean() - (centre - 0.5)) < 1


def test_the_goal_is_centred_on_its_point():
    image = np.full((20, 30, 3), 100, np.uint8)
    picture = overlay.draw(image, goals=[(12.0, 7.5)], scale=6)
    rows, cols = np.nonzero((picture == 255).all(-1))
    assert abs(cols.mean() - (72 - 0.5)) < 0.5 and abs(rows.mean() - (45 - 0.5)) < 0.5


def test_a_goal_of_one_slot_has_its_colour_and_one_of_several_is_marked_once():
    orange, blue, purple, _ = overlay.slot_colours(4).tolist()
    nan = float('nan')
    assert overlay.goal_marks(None) == []
    assert overlay.goal_marks((5.0, 6.0)) == [(5.0, 6.0, (255, 255, 255))]
    assert overlay.goal_marks((5.0, 6.0), [nan] * 3, [nan] * 3) == [(5.0, 6.0, (255, 255, 255))]
    # Of an earlier goal slot 1 is still on its way; the last one is for slots 0 and 2.
    assert overlay.goal_marks((5.0, 6.0), [5.1, 40.0, 5.0, nan], [6.0, 30.0, 6.1, nan]) == [
        (5.1, 6.0, (255, 255, 255)), (40.0, 30.0, tuple(blue))]
    # A picture is about many places and none of its own.
    assert overlay.goal_marks(None, [1.0, nan, 3.0], [2.0, nan, 4.0]) == [
        (1.0, 2.0, tuple(orange)), (3.0, 4.0, tuple(purple))]


def test_a_goal_is_drawn_in_the_colour_that_it_was_given():
    image = np.full((20, 30, 3), 100, np.uint8)
    picture = overlay.draw(image, goals=[(12.0, 7.5, (0, 158, 115))], scale=6)
    rows, cols = np.nonzero((picture == (0, 158, 115)).all(-1))
    assert abs(cols.mean() - (72 - 0.5)) < 0.5 and abs(rows.mean() - (45 - 0.5)) < 0.5
    assert not (picture == 255).all(-1).any()


@pytest.mark.parametrize('value', [np.nan, np.inf, 1e30, -1e30])
def test_absurd_numbers_draw_nothing(value):
    image, _ = _scene()
    picture = overlay.draw(image, arrows=([1], [1], [value], [1.0]), goals=[(value, 3.0)])
    assert (picture == 100).all()


def test_things_outside_are_clipped():
    image, labels = _scene()
    picture = overlay.draw(image, labels, ([0], [19], [40.0], [-40.0]), [(-30.0, 50.0)], 4)
    assert picture.shape == (64, 80, 3)


@pytest.mark.parametrize('arguments, message', [
    ({'image': np.zeros((4, 4), np.uint8)}, r'image is uint8 \[4, 4\]'),
    ({'image': np.zeros((4, 4, 3))}, 'image is float64'),
    ({'labels': np.zeros((3, 4), np.uint8)}, r'labels are uint8 \[3, 4\]'),
    ({'labels': np.zeros((4, 4), np.int64)}, 'labels are int64'),
    ({'scale': 0}, 'scale is 0'),
    ({'scale': 1.5}, 'scale is 1.5'),
    ({'arrows': ([1], [1, 2], [0.0], [0.0])}, '2 columns'),
])
def test_what_does_not_fit_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        overlay.draw(**{'image': np.zeros((4, 4, 3), np.uint8), **arguments})
