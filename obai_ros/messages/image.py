# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/Image <-> numpy: by cv_bridge where there is a working one, otherwise by numpy."""

import array
import functools
import types

import cv2
import numpy as np

from obai_ros.messages.arrays import typed

# Encodings of 8 bits per channel -> channels
CHANNELS = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1, '8UC1': 1}

# As cameras send them: brightness of two pixels, and the colour that they share, ...
_YUV = {'yuyv': cv2.COLOR_YUV2RGB_YUYV, 'yuv422_yuy2': cv2.COLOR_YUV2RGB_YUYV,
        'uyvy': cv2.COLOR_YUV2RGB_UYVY, 'yuv422': cv2.COLOR_YUV2RGB_UYVY}
# ... or one colour for each pixel. OpenCV names the second pixel of the second row and the next.
_BAYER = {'bayer_rggb8': cv2.COLOR_BayerBG2RGB, 'bayer_bggr8': cv2.COLOR_BayerRG2RGB,
          'bayer_gbrg8': cv2.COLOR_BayerGR2RGB, 'bayer_grbg8': cv2.COLOR_BayerGB2RGB}

ACCEPTED = ('rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'mono16', *_YUV, *_BAYER)
"""Encodings that to_rgb8 understands. 8UC1 is not among them: it holds labels, not grey."""


class ImageError(ValueError):
    """An image message (or an array to become one) is not what it says or what is expected."""


def to_rgb8(msg) -> np.ndarray:
    """
    Return the picture as [H, W, 3] uint8; it may share memory with the message.

    msg: has the fields of sensor_msgs/Image; encoding one of ACCEPTED. Alpha is dropped, grey is
    repeated, 16 bits become 8. Rows may be padded (step). Raises ImageError.
    """
    if msg.encoding not in ACCEPTED:
        raise ImageError(f'the image has encoding {msg.encoding!r}, expected one of '
                         f'{", ".join(ACCEPTED)}: let the driver send one of these (pixel_format '
                         'of v4l2_camera and usb_cam), or image_proc convert it')
    if msg.encoding not in CHANNELS:
        return _develop(msg)
    image = to_array(msg)
    bridge = cv_bridge()
    # Older versions of cv_bridge take rows for a whole number of pixels.
    if bridge is not None and msg.step % CHANNELS[msg.encoding] == 0:
        return bridge.imgmsg_to_cv2(msg, 'rgb8')
    if msg.encoding == 'mono8':
        return np.repeat(image[..., None], 3, axis=-1)
    if msg.encoding in ('bgr8', 'bgra8'):
        return np.ascontiguousarray(image[..., 2::-1])  # torch takes no negative strides
    return image[..., :3]


def to_array(msg) -> np.ndarray:
    """
    Return the pixels as they are, [H, W] (one channel) or [H, W, C] uint8, without copying.

    msg: encoding one of CHANNELS, for instance a label image (8UC1). Raises ImageError.
    """
    if msg.encoding not in CHANNELS:
        raise ImageError(f'the image has encoding {msg.encoding!r}, expected one of '
                         f'{", ".join(CHANNELS)}: convert it before it gets here')
    channels = CHANNELS[msg.encoding]
    pixels = _rows(msg, channels)
    if channels == 1:
        return pixels
    return np.lib.stride_tricks.as_strided(
        pixels, (msg.height, msg.width, channels), (msg.step, channels, 1))


def to_labels(msg) -> np.ndarray:
    """
    Return the labels of a model's grid, [size, size] uint8, without copying.

    msg: has the fields of sensor_msgs/Image; 8UC1 and square, as grids are. Raises ImageError.
    """
    if msg.encoding != '8UC1':
        raise ImageError(f'the label image has encoding {msg.encoding!r}, expected 8UC1')
    if msg.height != msg.width:
        raise ImageError(f'the label image has {msg.height}x{msg.width} px, expected a square')
    return to_array(msg)


def from_numpy(pixels: np.ndarray, encoding: str, msg):
    """
    Fill height, width, encoding, step and data of `msg` and return it; the header is the caller's.

    pixels: uint8, [H, W] or [H, W, C] as `encoding` (one of CHANNELS) says; copied once.
    Raises ImageError.
    """
    if encoding not in CHANNELS:
        raise ImageError(f'cannot write encoding {encoding!r}, expected one of '
                         f'{", ".join(CHANNELS)}')
    pixels = np.asarray(pixels)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or channels != CHANNELS[encoding]:
        raise ImageError(f'cannot write an array of {pixels.dtype} {list(pixels.shape)} as '
                         f'{encoding}, expected uint8 [H, W, {CHANNELS[encoding]}]')
    bridge = cv_bridge()
    if bridge is not None:
        made = bridge.cv2_to_imgmsg(np.ascontiguousarray(pixels), encoding)
        msg.step, msg.data = made.step, made.data
    else:
        msg.step = pixels.shape[1] * channels
        msg.data = typed('B', pixels)
    msg.height, msg.width = pixels.shape[:2]
    msg.encoding, msg.is_bigendian = encoding, 0
    return msg


@functools.cache
def cv_bridge():
    """
    Return a CvBridge that works here, or None.

    There is none without a ROS 2 distribution, and some distributions have one that was compiled
    for another numpy: it may load and yet fail at the first conversion, so one is made.
    """
    pixel = types.SimpleNamespace(height=1, width=1, step=3, encoding='bgr8', is_bigendian=0,
                                  data=array.array('B', (3, 2, 1)))
    try:
        from cv_bridge import CvBridge
        bridge = CvBridge()
        works = bridge.imgmsg_to_cv2(pixel, 'rgb8').tolist() == [[[1, 2, 3]]]
    except (ImportError, AttributeError, SystemError):
        return None
    return bridge if works else None


def _develop(msg) -> np.ndarray:
    """Return the picture of a message as cameras send it, [H, W, 3] uint8 RGB."""
    if msg.encoding in _BAYER:
        return cv2.cvtColor(np.ascontiguousarray(_rows(msg, 1)), _BAYER[msg.encoding])
    values = np.ascontiguousarray(_rows(msg, 2)).reshape(msg.height, msg.width, 2)
    if msg.encoding in _YUV:
        if msg.width % 2:
            raise ImageError(f'the image is {msg.width} px wide, expected an even number of '
                             f'{msg.encoding}: two pixels share their colour')
        return cv2.cvtColor(values, _YUV[msg.encoding])
    grey = values.view('>u2' if msg.is_bigendian else '<u2').astype(np.uint32)
    return np.repeat(((grey + 128) // 257).astype(np.uint8), 3, axis=-1)


def _rows(msg, pixel: int) -> np.ndarray:
    """Return the rows of a message, without what they end in, for `pixel` bytes per pixel."""
    if msg.height == 0 or msg.width == 0:
        raise ImageError(f'the image is empty ({msg.height} rows of {msg.width} px)')
    if msg.step < msg.width * pixel:
        raise ImageError(f'the image has rows (step) of {msg.step} bytes, expected at least '
                         f'{msg.width * pixel} for {msg.width} px of {msg.encoding}')
    if len(msg.data) != msg.height * msg.step:
        raise ImageError(f'the image has {len(msg.data)} bytes of data, expected '
                         f'{msg.height * msg.step} for {msg.height} rows of {msg.step} bytes: it '
                         'was cut off, or its height or step is wrong')
    rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)
    return rows[:, :msg.width * pixel]
