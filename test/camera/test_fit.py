# SPDX-License-Identifier: Apache-2.0
"""Pictures on the model's grid, and the way back."""
from hypothesis import given, settings, strategies as st
import numpy as np
from obai_ros.camera.fit import Fit, fit, MODES
import pytest

LENGTH = st.integers(1, 700)


def marked(width, height):
    """Return a black picture whose middle square of a third is white."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[height // 3:height - height // 3, width // 3:width - width // 3] = 255
    return picture


@given(st.sampled_from(MODES), LENGTH, LENGTH, st.integers(1, 64))
@settings(deadline=None, max_examples=60)
def test_any_size_gets_there_and_back(mode, width, height, size):
    fitted = fit(mode, width, height, size)
    assert fitted.picture_to_grid(np.zeros((height, width, 3), np.uint8)).shape == (size, size, 3)
    labels = fitted.labels_to_picture(np.full((size, size), 7, np.uint8), outside=255)
    assert labels.shape == (height, width)
    assert (labels == 7).any()
    if mode != 'crop':
        assert (labels == 7).all()
    points = np.array([[0., 0.], [size / 2, size / 3], [size, size]])
    np.testing.assert_allclose(fitted.points_to_grid(fitted.points_to_picture(points)), points,
                               atol=1e-9)


def test_crop_takes_the_middle_square():
    fitted = fit('crop', 640, 480, 64)
    assert fitted == Fit(640, 480, 64, 80., 0., 7.5, 7.5)
    np.testing.assert_array_equal(fitted.points_to_picture([[0, 0], [32, 32], [64, 64]]),
                                  [[80, 0], [320, 240], [560, 480]])
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[:, :80] = picture[:, 560:] = 255
    assert not fitted.picture_to_grid(picture).any()
    labels = fitted.labels_to_picture(np.zeros((64, 64), np.uint8), outside=255)
    assert (labels[:, :80] == 255).all() and (labels[:, 560:] == 255).all()
    assert not labels[:, 80:560].any()


def test_letterbox_shows_all_of_it_between_grey_bars():
    fitted = fit('letterbox', 640, 480, 64)
    assert fitted == Fit(640, 480, 64, 0., -80., 10., 10.)
    grid = fitted.picture_to_grid(np.full((480, 640, 3), 255, np.uint8))
    assert (grid[:8] == 127).all() and (grid[56:] == 127).all() and (grid[8:56] == 255).all()


def test_stretch_shows_all_of_it():
    fitted = fit('stretch', 640, 480, 64)
    np.testing.assert_array_equal(fitted.vectors_to_picture([1, 1]), [10, 7.5])
    grid = fitted.picture_to_grid(marked(639, 480)[:, :, :])
    assert grid[32, 32, 0] == 255 and not grid[:20].any() and not grid[:, :20].any()


@pytest.mark.parametrize('mode', MODES)
def test_labels_lie_over_what_they_label(mode):
    picture = marked(96, 60)
    fitted = fit(mode, 96, 60, 32)
    labels = (fitted.picture_to_grid(picture)[..., 0] > 200).astype(np.uint8)
    back = fitted.labels_to_picture(labels, outside=0)
    wrong = back != (picture[..., 0] > 0)
    assert wrong.mean() < .06  # a rim of less than one pixel of the grid
    rows, cols = np.nonzero(labels)
    middle = fitted.points_to_picture([cols.mean() + .5, rows.mean() + .5])
    np.testing.assert_allclose(middle, [48, 30], atol=1.5)


def test_four_pixels_become_their_mean_and_one_stays():
    small = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    for mode in MODES:
        assert (fit(mode, 64, 64, 32).picture_to_grid(large) == small).all()
        assert fit(mode, 32, 32, 32).picture_to_grid(small) is small


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="resize is 'zoom', expected one of crop, letterbox"):
        fit('zoom', 4, 4, 4)
    with pytest.raises(ValueError, match='cannot fit 0x4 px to 4x4 px'):
        fit('crop', 0, 4, 4)


@pytest.mark.parametrize('offset', [(-64., 0.), (64., 0.), (0., -500.), (-30., 40.), (3., -1e9)])
def test_labels_of_a_grid_that_is_elsewhere_are_nowhere(offset):
    labels = Fit(20, 20, 8, *offset, 2., 3.).labels_to_picture(
        np.ones((8, 8), np.uint8), outside=255)
    assert labels.shape == (20, 20) and (labels == 255).all()
