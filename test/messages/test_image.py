# SPDX-License-Identifier: Apache-2.0
"""Images to messages and back; the same arrays with and without cv_bridge."""

import array
from types import SimpleNamespace

from hypothesis import given, settings, strategies as st
import numpy as np
from obai_ros.messages import image
import pytest

COLOUR = [encoding for encoding in image.CHANNELS if encoding in image.ACCEPTED]


def message(pixels, encoding, padding=0):
    """Return what sensor_msgs/Image holds: rows with `padding` more bytes each."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=7)
    return SimpleNamespace(height=height, width=width, encoding=encoding, is_bigendian=0,
                           step=rows.shape[1], data=array.array('B', rows.tobytes()))


def picture(encoding, height=5, width=7, seed=0):
    channels = image.CHANNELS[encoding]
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def expected_rgb(pixels, encoding):
    if pixels.ndim == 2:
        return np.stack([pixels] * 3, -1)
    order = {'rgb8': [0, 1, 2], 'bgr8': [2, 1, 0], 'rgba8': [0, 1, 2], 'bgra8': [2, 1, 0]}
    return pixels[..., order[encoding]]


@settings(deadline=None)
@given(st.sampled_from(COLOUR), st.integers(1, 40), st.integers(1, 40), st.integers(0, 9),
       st.integers(0, 2**32))
def test_every_accepted_encoding_and_padding_becomes_rgb(encoding, height, width, padding, seed):
    pixels = picture(encoding, height, width, seed)
    converted = image.to_rgb8(message(pixels, encoding, padding))
    assert converted.shape == (height, width, 3) and converted.dtype == np.uint8
    assert all(stride > 0 for stride in converted.strides)
    np.testing.assert_array_equal(converted, expected_rgb(pixels, encoding))


@settings(deadline=None)
@given(st.sampled_from(list(image.CHANNELS)), st.integers(1, 40), st.integers(1, 40),
       st.integers(0, 2**32))
def test_what_is_written_is_read(encoding, height, width, seed):
    pixels = picture(encoding, height, width, seed)
    written = image.from_numpy(pixels, encoding, SimpleNamespace())
    assert isinstance(written.data, array.array) and written.data.typecode == 'B'
    np.testing.assert_array_equal(image.to_array(written), pixels)


@pytest.mark.parametrize('encoding', ['rgb8', '8UC1'])
def test_an_array_that_is_not_contiguous_is_written(encoding):
    pixels = picture(encoding, 8, 8)[::2, ::-1]
    np.testing.assert_array_equal(
        image.to_array(image.from_numpy(pixels, encoding, SimpleNamespace())), pixels)


@pytest.mark.parametrize('encoding', ['rgb8', '8UC1'])
def test_reading_copies_nothing(encoding):
    sent = message(picture(encoding), encoding, padding=3)
    assert np.shares_memory(image.to_array(sent), np.frombuffer(sent.data, np.uint8))


@pytest.mark.parametrize('encoding', ['16UC1', 'nv21', '32FC1', '', '8UC1'])
def test_another_encoding_is_refused_by_name_with_the_list(encoding):
    sent = message(picture('rgb8'), encoding)
    with pytest.raises(image.ImageError) as refusal:
        image.to_rgb8(sent)
    assert repr(encoding) in str(refusal.value)
    assert all(accepted in str(refusal.value) for accepted in image.ACCEPTED)
    assert 'pixel_format' in str(refusal.value) and 'image_proc' in str(refusal.value)


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('encoding, order', [
    ('yuyv', [0, 1]), ('yuv422_yuy2', [0, 1]), ('uyvy', [1, 0]), ('yuv422', [1, 0])])
def test_a_camera_may_send_brightness_and_shared_colour(encoding, order, padding):
    # Red and green by the standard of television (BT.601), two pixels of each.
    red, green = [(81, 90), (81, 240)], [(145, 54), (145, 34)]
    pixels = np.array([red + green] * 3, np.uint8)[..., order]
    converted = image.to_rgb8(message(pixels, encoding, padding))
    expected = [[(255, 0, 0)] * 2 + [(0, 255, 0)] * 2] * 3
    np.testing.assert_allclose(converted, expected, atol=2)
    with pytest.raises(image.ImageError, match='3 px wide, expected an even number'):
        image.to_rgb8(message(pixels[:, :3], encoding))


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('encoding', ['bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8'])
def test_a_camera_may_send_one_colour_for_each_pixel(encoding, padding):
    colour = {'r': 200, 'g': 100, 'b': 30}
    tile = np.array([colour[name] for name in encoding[6:10]], np.uint8).reshape(2, 2)
    converted = image.to_rgb8(message(np.tile(tile, (4, 5)), encoding, padding))
    assert (converted == tuple(colour.values())).all() and converted.shape == (8, 10, 3)


@pytest.mark.parametrize('padding', [0, 4])
@pytest.mark.parametrize('big', [0, 1])
def test_grey_of_16_bits_becomes_grey_of_8(big, padding):
    grey = np.array([[0, 128, 129, 257], [32768, 65406, 65407, 65535]])
    pixels = grey.astype('>u2' if big else '<u2').view(np.uint8).reshape(2, 4, 2)
    sent = message(pixels, 'mono16', padding)
    sent.is_bigendian = big
    np.testing.assert_array_equal(
        image.to_rgb8(sent), np.round(grey / 257).astype(np.uint8)[..., None].repeat(3, -1))


@pytest.mark.parametrize('encoding', ['mono16', 'yuyv', 'bayer_rggb8'])
def test_what_a_camera_sends_may_be_cut_off_too(encoding):
    sent = message(picture('rgb8'), encoding)
    del sent.data[-1]
    with pytest.raises(image.ImageError, match='104 bytes of data, expected 105'):
        image.to_rgb8(sent)


@pytest.mark.parametrize('change, words', [
    ({'data': array.array('B', bytes(99))}, ('99 bytes', 'expected 105')),
    ({'data': array.array('B', bytes(120))}, ('120 bytes', 'expected 105')),
    ({'step': 20}, ('(step) of 20 bytes', 'at least 21')),
    ({'height': 6}, ('105 bytes', 'expected 126')),
    ({'height': 0}, ('empty',)),
    ({'width': 0}, ('empty',)),
], ids=['truncated', 'too long', 'step', 'height', 'no rows', 'no columns'])
def test_an_image_that_contradicts_itself_is_refused(change, words):
    sent = message(picture('rgb8'), 'rgb8')
    vars(sent).update(change)
    with pytest.raises(image.ImageError) as refusal:
        image.to_rgb8(sent)
    assert all(word in str(refusal.value) for word in words)


@pytest.mark.parametrize('pixels, encoding', [
    (np.zeros((4, 4, 3), np.float32), 'rgb8'), (np.zeros((4, 4), np.uint8), 'rgb8'),
    (np.zeros((4, 4, 4), np.uint8), 'rgb8'), (np.zeros(4, np.uint8), 'mono8'),
    (np.zeros((4, 4), np.uint8), '16UC1')])
def test_an_array_that_is_not_what_the_encoding_says_is_not_written(pixels, encoding):
    with pytest.raises(image.ImageError, match=encoding):
        image.from_numpy(pixels, encoding, SimpleNamespace())


class Bridge:
    """The two conversions of cv_bridge, by OpenCV."""

    def imgmsg_to_cv2(self, msg, desired_encoding):
        assert desired_encoding == 'rgb8'
        return expected_rgb(image.to_array(msg), msg.encoding)

    def cv2_to_imgmsg(self, pixels, encoding):
        return message(pixels, encoding)


@pytest.fixture(params=['numpy', 'cv_bridge'])
def converter(request, monkeypatch):
    """Use one of the two ways; cv_bridge is the real one where it works, else a stand-in."""
    bridge = image.cv_bridge() or Bridge()
    chosen = bridge if request.param == 'cv_bridge' else None
    monkeypatch.setattr(image, 'cv_bridge', lambda: chosen)


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('encoding', COLOUR)
def test_both_ways_give_the_same_arrays(converter, encoding, padding):
    pixels = picture(encoding)
    np.testing.assert_array_equal(
        image.to_rgb8(message(pixels, encoding, padding)), expected_rgb(pixels, encoding))
    written = image.from_numpy(pixels, encoding, SimpleNamespace())
    assert (written.height, written.width, written.step) == (*pixels.shape[:2], pixels[0].size)
    assert bytes(written.data) == pixels.tobytes()


def test_the_real_message_takes_all_fields():
    Image = pytest.importorskip('sensor_msgs.msg').Image
    pixels = picture('rgb8')
    sent = image.from_numpy(pixels, 'rgb8', Image())
    np.testing.assert_array_equal(image.to_rgb8(sent), pixels)


def test_labels_are_8UC1_and_square():
    labels = picture('8UC1', 5, 5)
    np.testing.assert_array_equal(image.to_labels(message(labels, '8UC1', padding=3)), labels)
    for encoding, width, words in (('mono8', 5, "has encoding 'mono8', expected 8UC1"),
                                   ('rgb8', 5, "has encoding 'rgb8', expected 8UC1"),
                                   ('8UC1', 7, 'has 5x7 px, expected a square')):
        with pytest.raises(image.ImageError, match=words):
            image.to_labels(message(picture(encoding, 5, width), encoding))
