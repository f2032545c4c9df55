# SPDX-License-Identifier: Apache-2.0
"""Compressed images to pixels."""

import array
from types import SimpleNamespace

import cv2
import numpy as np
from obai_ros.messages import compressed_image
from obai_ros.messages.image import ImageError
import pytest

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def compressed(pixels, ending):
    data = cv2.imencode(ending, pixels)[1].tobytes()
    return SimpleNamespace(format=f'rgb8; {ending} compressed', data=array.array('B', data))


def test_colours_stay_what_they_are():
    message = compressed(cv2.cvtColor(PICTURE, cv2.COLOR_RGB2BGR), '.png')
    np.testing.assert_array_equal(compressed_image.to_rgb8(message), PICTURE)
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    near = compressed_image.to_rgb8(compressed(flat[..., ::-1], '.jpg'))
    np.testing.assert_allclose(near, flat, atol=4)


def test_grey_is_repeated():
    message = compressed(PICTURE[..., 0], '.png')
    np.testing.assert_array_equal(compressed_image.to_rgb8(message),
                                  PICTURE[..., :1].repeat(3, axis=-1))


def too_wide():
    """Return an image with one bit of its width damaged: OpenCV raises an error of its own."""
    data = bytearray(cv2.imencode('.bmp', PICTURE)[1].tobytes())
    data[20] |= 32  # 2^21 px more
    return bytes(data)


@pytest.mark.parametrize('data', [b'', b'no image', bytes(100), too_wide()],
                         ids=['empty', 'text', 'zeros', 'too wide'])
def test_what_is_no_image_is_refused_in_a_sentence(data):
    message = SimpleNamespace(format='jpeg', data=array.array('B', data))
    with pytest.raises(ImageError, match=rf"format 'jpeg', {len(data)} bytes\) cannot be decoded"):
        compressed_image.to_rgb8(message)
