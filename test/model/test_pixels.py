# SPDX-License-Identifier: Apache-2.0
"""Images to pictures and back."""
import numpy as np
import torch

from obai_ros.model.pixels import to_image, to_picture


def test_a_picture_comes_back_as_it_was():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    image = to_image(picture)
    assert image.shape == (3, 5, 7) and image.dtype == torch.float32
    assert (float(image.min()) >= 0.0) and (float(image.max()) <= 1.0)
    assert round(float(image[2, 4, 6]) * 255) == picture[4, 6, 2]
    np.testing.assert_array_equal(to_picture(image), picture)


def test_what_no_picture_can_show_is_cut():
    image = torch.tensor([-0.5, 0.498, 7.0])[:, None, None]
    assert to_picture(image).tolist() == [[[0, 127, 255]]]
