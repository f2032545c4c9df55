# SPDX-License-Identifier: Apache-2.0
"""obai_ros/ObjectStates: the true state of O objects."""

import numpy as np

from obai_ros.messages.arrays import typed


def write(shape, position, velocity, size, orientation, colour, visible_pixels, msg):
    """
    Fill the arrays of `msg` and return it; header, frame and episode are the caller's.

    shape: O names; position, velocity: [O, 2] (x, y), px and px/frame; size: [O] px;
    orientation: [O] rad; colour: [O, 3] in 0 .. 1; visible_pixels: [O].
    """
    msg.shape = list(shape)
    for names, values in (
            (('x', 'y'), position), (('vx', 'vy'), velocity), (('red', 'green', 'blue'), colour)):
        for axis, name in enumerate(names):
            setattr(msg, name, typed('f', np.asarray(values)[:, axis]))
    msg.size, msg.orientation = typed('f', size), typed('f', orientation)
    msg.visible_pixels = typed('I', visible_pixels)
    return msg
