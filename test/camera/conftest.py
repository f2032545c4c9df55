# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest


@pytest.fixture
def pictures():
    """Return three pictures that are told apart by their level: [3, 48, 64, 3] uint8, RGB."""
    made = np.zeros((3, 48, 64, 3), np.uint8)
    made[..., 0] = np.array([40, 120, 200])[:, None, None]
    made[..., 2] = 80
    return made


@pytest.fixture
def video(tmp_path, pictures):
    """Return the path of a lossless video of these pictures, 20 per second."""
    path = tmp_path / 'short.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'FFV1'), 20., (64, 48))
    for picture in pictures:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    writer.release()
    return path
