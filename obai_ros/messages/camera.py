# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/CameraInfo, of the simulated camera and of calibrated ones."""

import numpy as np


def write_pinhole(size: int, msg):
    """
    Fill all fields of `msg` but its header for a square image without distortion; return it.

    size: height and width, px.  The focal length is the size of the image, a field of view of
    53 degrees: any value does for a flat world, but tools divide by it.
    """
    middle = (size - 1) / 2  # in a CameraInfo the middle of a pixel is at integers
    projection = np.array([[size, 0, middle, 0], [0, size, middle, 0], [0, 0, 1, 0]], float)
    msg.height = msg.width = size
    msg.distortion_model = 'plumb_bob'
    msg.d = [0.0] * 5
    msg.k = projection[:, :3].ravel()
    msg.r = np.eye(3).ravel()
    msg.p = projection.ravel()
    return msg


def write_calibration(calibration, msg):
    """Fill all fields of `msg` but its header from a calibration; return it.

    calibration: has width, height (px), distortion_model, d, and k, r, p row by row.
    """
    msg.width, msg.height = calibration.width, calibration.height
    msg.distortion_model = calibration.distortion_model
    msg.d = list(calibration.d)
    msg.k, msg.r, msg.p = (np.array(matrix) for matrix in (
        calibration.k, calibration.r, calibration.p))
    return msg
