# SPDX-License-Identifier: Apache-2.0
"""Images as they come in: raw or compressed."""

from sensor_msgs.msg import CompressedImage, Image

from obai_ros.messages import compressed_image, image
from obai_ros.nodes import qos

# Transport -> message, and what its topic adds to the name of the image
_TRANSPORTS = {'raw': (Image, ''), 'compressed': (CompressedImage, '/compressed')}


def subscribe(node, transport: str, take, profile):
    """Subscribe the images of `image_raw` by `transport`, raw or compressed.

    The compressed ones are beside the raw ones, wherever image_raw has been remapped to.
    """
    kind, ending = _TRANSPORTS[transport]
    return node.create_subscription(
        kind, node.resolve_topic_name('image_raw') + ending, take, profile,
        qos_overriding_options=qos.overridable())


def to_rgb8(message):
    """Return the picture of either kind, [H, W, 3] uint8. Raises ImageError."""
    convert = compressed_image if isinstance(message, CompressedImage) else image
    return convert.to_rgb8(message)
