# SPDX-License-Identifier: Apache-2.0
"""The arrays inside messages."""

import array

import numpy as np


def typed(typecode: str, values) -> array.array:
    """
    Return the values in row-major order as an array.array of this typecode ('B', 'I', 'f').

    rclpy takes that as it is; anything else it checks one element at a time.
    """
    made = array.array(typecode)
    contiguous = np.ascontiguousarray(values, dtype=np.dtype(typecode))
    made.frombytes(contiguous.reshape(-1).view(np.uint8).data)
    return made
