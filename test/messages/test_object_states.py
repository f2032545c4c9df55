# SPDX-License-Identifier: Apache-2.0
"""The true state of objects in a message."""

from types import SimpleNamespace

import numpy as np
from obai_ros.messages import object_states


def test_arrays_are_taken_apart_by_axis():
    states = dict(
        shape=['heart', 'square'], position=[[1, 2], [3, 4]], velocity=[[5, 6], [7, 8]],
        size=[9, 10], orientation=[11, 12], colour=[[0, .25, .5], [.5, .75, 1]],
        visible_pixels=np.array([13, 0]))
    message = object_states.write(**states, msg=SimpleNamespace())
    assert {name: list(values) for name, values in vars(message).items()} == {
        'shape': ['heart', 'square'], 'x': [1, 3], 'y': [2, 4], 'vx': [5, 7], 'vy': [6, 8],
        'size': [9, 10], 'orientation': [11, 12], 'red': [0, .5], 'green': [.25, .75],
        'blue': [.5, 1], 'visible_pixels': [13, 0]}
    assert message.x.typecode == 'f' and message.visible_pixels.typecode == 'I'
