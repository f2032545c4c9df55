# SPDX-License-Identifier: Apache-2.0
"""What was seen and done, on disk: bags, videos and files of videos, written and read without ROS.

`rosbags` reads and writes rosbag2 folders; it is imported where it is needed, not before.
"""


class RecordingError(ValueError):
    """A recording cannot be written or read; the message says why, and what to do."""
