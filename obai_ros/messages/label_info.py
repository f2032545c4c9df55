# SPDX-License-Identifier: Apache-2.0
"""obai_ros/LabelInfo: where the grid of the labels lies in the image, made sure of."""

FINEST = 2.0 ** -16
"""px of the image that a pixel of the grid covers, at least."""


class LabelInfoError(ValueError):
    """A LabelInfo says what cannot be."""


def check(msg) -> None:
    """
    Raise LabelInfoError unless the grid can lie in the image where a message says.

    msg: has the fields of obai_ros/LabelInfo. One pixel of the grid covers at most all of the
    image, and the grid begins at most as far away from it as it is long.
    """
    longest = max(msg.image_width, msg.image_height)
    if min(msg.image_width, msg.image_height) < 1:
        raise LabelInfoError(f'image_width and image_height are {msg.image_width} and '
                             f'{msg.image_height}, expected 1 px or more')
    for name in ('scale_x', 'scale_y'):
        if not FINEST <= getattr(msg, name) <= longest:  # also NaN
            raise LabelInfoError(f'{name} is {getattr(msg, name):g}, expected {FINEST:g} .. '
                                 f'{longest} px of the image for each of the grid')
    for name in ('offset_x', 'offset_y'):
        if not abs(getattr(msg, name)) <= longest:
            raise LabelInfoError(f'{name} is {getattr(msg, name):g}, expected {-longest} .. '
                                 f'{longest} px')
