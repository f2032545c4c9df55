# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/CompressedImage -> numpy."""

import cv2
import numpy as np

from obai_ros.messages.image import ImageError


def to_rgb8(msg) -> np.ndarray:
    """
    Return the picture as [H, W, 3] uint8.

    msg: has the fields of sensor_msgs/CompressedImage; JPEG, PNG or whatever else OpenCV reads.
    Alpha is dropped, grey is repeated, deeper pixels are brought to 8 bits. Raises ImageError.
    """
    data = np.frombuffer(msg.data, np.uint8)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(data, flags) if len(data) else None
    except cv2.error:  # raised for sizes that it does not allow, which damage may amount to
        picture = None
    if picture is None:
        raise ImageError(f'the compressed image (format {msg.format!r}, {len(data)} bytes) cannot '
                         'be decoded, expected a whole JPEG or PNG')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
