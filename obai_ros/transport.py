# SPDX-License-Identifier: Apache-2.0
"""How messages travel between processes of nodes, unless somebody has chosen otherwise."""
from __future__ import annotations

import os

from obai_ros.share import share_folder

PROFILES = 'FASTDDS_DEFAULT_PROFILES_FILE'
CHOICES = {PROFILES, 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS'}
"""Variables of the environment by which one chooses."""


def profiles() -> dict[str, str]:
    """
    Return what nodes need in their environment, beside what is there.

    Fast DDS by itself loses most images of 640x480 px at 30 Hz between processes.
    """
    if CHOICES & os.environ.keys():
        return {}
    return {PROFILES: profile_file()}


def profile_file() -> str:
    """Return the path of the profile for Fast DDS that is in this package."""
    return str(share_folder('config') / 'fastdds.xml')
