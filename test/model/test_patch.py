# SPDX-License-Identifier: Apache-2.0
"""Patches: what stands out from the slot that it is assigned to, and nothing else."""
import numpy as np
import pytest

from obai_ros.model.patch import unexplained_patch

SIGMA = 0.15
ROWS, COLUMNS = np.mgrid[:32, :32]


def picture(*squares, background=0.5):
    """Return an image [3, 32, 32] with squares (row, column, side, colour)."""
    image = np.full((3, 32, 32), background, np.float32)
    for row, column, side, colour in squares:
        image[:, row:row + side, column:column + side] = np.reshape(colour, (3, 1, 1))
    return image


def test_an_object_left_to_the_background_is_told_by_place_size_and_colour():
    image = picture((4, 10, 6, (0.5, 0.9, 0.1)))
    patch = unexplained_patch(image, np.zeros((32, 32), int), SIGMA)
    assert patch.centre == pytest.approx([13.0, 7.0]) and patch.mass == 36
    assert patch.colour == pytest.approx([0.5, 0.9, 0.1])
    assert patch.cost == pytest.approx(36 * 2 * 0.4 ** 2 / (2 * SIGMA ** 2), rel=1e-5)


def test_there_is_none_where_each_colour_has_a_slot():
    image = picture((4, 10, 6, (0.5, 0.9, 0.1)), (20, 20, 8, (1.0, 0.0, 0.0)))
    owner = np.zeros((32, 32), int)
    owner[4:10, 10:16], owner[20:28, 20:28] = 3, 1
    assert unexplained_patch(image, owner, SIGMA) is None
    assert unexplained_patch(picture(), owner, SIGMA) is None


def test_a_slot_with_two_objects_keeps_the_larger():
    """The colour of a slot is that of most of its pixels, not the average of both."""
    image = picture((4, 10, 6, (0.1, 0.9, 0.1)), (20, 20, 8, (1.0, 0.0, 0.0)))
    owner = np.zeros((32, 32), int)
    owner[4:10, 10:16] = owner[20:28, 20:28] = 2
    assert unexplained_patch(image, owner, SIGMA).mass == 36


def test_a_patch_has_one_colour_and_is_connected():
    image = picture((4, 4, 8, (0.9, 0.9, 0.1)), (4, 12, 6, (0.1, 0.1, 0.9)),
                    (24, 24, 5, (0.9, 0.9, 0.1)))
    patch = unexplained_patch(image, np.zeros((32, 32), int), SIGMA)
    assert patch.mass == 64 and patch.centre == pytest.approx([8.0, 8.0])


def test_specks_and_faint_stains_come_after_an_object():
    image = picture((4, 4, 2, (1.0, 0.0, 1.0)), (20, 20, 8, (0.65, 0.65, 0.65)))
    assert unexplained_patch(image, np.zeros((32, 32), int), SIGMA).mass == 64
    faint = picture((20, 20, 8, (0.52, 0.52, 0.52)))
    assert unexplained_patch(faint, np.zeros((32, 32), int), SIGMA) is None


def test_an_object_on_which_light_falls_off_is_one_patch_noise_or_not():
    image = picture((8, 4, 16, (0.7, 0.3, 0.3)))
    image[:, 8:24, 4:20] *= np.linspace(1.3, 0.7, 16, dtype=np.float32)
    image[:, 8:24, 20:28] = np.reshape((0.1, 0.6, 0.2), (3, 1, 1))  # and what touches it is not
    noise = np.random.default_rng(0).normal(scale=0.02, size=image.shape).astype(np.float32)
    for seen in (image, image + noise):
        patch = unexplained_patch(seen, np.zeros((32, 32), int), 0.1)
        assert 0.9 * 256 <= patch.mass <= 256
        assert patch.centre == pytest.approx([12.0, 16.0], abs=0.6)
