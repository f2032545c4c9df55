# SPDX-License-Identifier: Apache-2.0
"""Images as they come in: raw or compressed."""

from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
from sensor_msgs.msg import CompressedImage, Image

from obai_ros.messages import compressed_image, image
from obai_ros.nodes import qos

# Transport -> message, and what its topic adds to the name of the image
_TRANSPORTS = {'raw': (Image, ''), 'compressed': (CompressedImage, '/compressed')}


def subscribe(node, transport: str, take, profile, lost=None):
    """Subscribe the images of `image_raw` by `transport`, raw or compressed.

    The compressed ones are beside the raw ones, wherever image_raw has been remapped to. lost:
    called with what rclpy tells of images that were lost on the way, where the middleware knows.
    """
    kind, ending = _TRANSPORTS[transport]
    arguments = kind, node.resolve_topic_name('image_raw') + ending, take, profile
    try:
        return node.create_subscription(
            *arguments, event_callbacks=SubscriptionEventCallbacks(message_lost=lost),
            qos_overriding_options=qos.overridable())
    except UnsupportedEventTypeError:
        return node.create_subscription(
            *arguments, qos_overriding_options=qos.overridable())


def to_rgb8(message):
    """Return the picture of either kind, [H, W, 3] uint8. Raises ImageError."""
    convert = compressed_image if isinstance(message, CompressedImage) else image
    return convert.to_rgb8(message)
