# SPDX-License-Identifier: Apache-2.0
"""Discs, for tests that need to show an object."""
import numpy as np


def labels(centre, mass, objects, side):
    """Return [side, side] uint8: k + 1 on the disc of slot k; a later slot hides earlier ones."""
    grid = np.arange(side) + 0.5
    image = np.zeros((side, side), np.uint8)
    for slot in np.flatnonzero(objects):
        x, y = centre[slot]
        away = (grid - float(x)) ** 2 + (grid[:, None] - float(y)) ** 2
        image[away < float(mass[slot]) / np.pi] = slot + 1
    return image
