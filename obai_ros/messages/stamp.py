# SPDX-License-Identifier: Apache-2.0
"""The stamp of a message as one number."""


class StampError(ValueError):
    """The stamp of a message is no time of ROS."""


def nanoseconds(message) -> int:
    """
    Return the stamp of a message with a header, ns since 1970.

    Raises StampError if it is before that: clients of ROS, in C++ as in Python, cannot hold such a
    time and end, so that nothing with this stamp should be passed on.
    """
    stamp = message.header.stamp
    if stamp.sec < 0:
        raise StampError(f'its stamp has sec {stamp.sec}, expected 0 or more: ROS has no time '
                         'before 1970; check the clock of whoever stamped it')
    return stamp.sec * 10**9 + stamp.nanosec
