# SPDX-License-Identifier: Apache-2.0
"""The simulated camera's calibration."""

from types import SimpleNamespace

import numpy as np
from obai_ros.messages import camera


def test_the_middle_of_the_image_is_straight_ahead():
    info = camera.write_pinhole(64, SimpleNamespace())
    k = np.reshape(info.k, (3, 3))
    np.testing.assert_allclose(k @ [0, 0, 1], [31.5, 31.5, 1])
    np.testing.assert_array_equal(np.reshape(info.p, (3, 4))[:, :3], k)
    np.testing.assert_array_equal(np.reshape(info.r, (3, 3)), np.eye(3))
    assert k[0, 0] > 0 and k[0, 0] == k[1, 1]
    assert (info.height, info.width, info.distortion_model) == (64, 64, 'plumb_bob')
