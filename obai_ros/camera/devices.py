# SPDX-License-Identifier: Apache-2.0
"""Which cameras there are (Linux: Video4Linux)."""

import dataclasses
from pathlib import Path
import re


@dataclasses.dataclass(frozen=True)
class CameraDevice:
    """A camera: its number N, its device file /dev/videoN, and what it calls itself."""

    number: int
    path: Path
    name: str

    def __str__(self):
        return f'{self.path} ({self.name})' if self.name else str(self.path)


def list_cameras(root: Path = Path('/')) -> list[CameraDevice]:
    """Return the cameras below `root`, by number; a camera may appear under several numbers."""
    found = []
    for path in (root / 'dev').glob('video*'):
        if not re.fullmatch(r'video\d+', path.name):
            continue
        label = root / 'sys' / 'class' / 'video4linux' / path.name / 'name'
        name = label.read_text(errors='replace').strip() if label.is_file() else ''
        found.append(CameraDevice(int(path.name[len('video'):]), path, name))
    return sorted(found, key=lambda device: device.number)


def describe_cameras(root: Path = Path('/')) -> str:
    """Say in a sentence which cameras there are, with what to do if there is none."""
    cameras = list_cameras(root)
    if cameras:
        return f'The cameras found are {", ".join(map(str, cameras))}.'
    return ('No camera was found at all: plug one in, and in a container hand it through '
            '(docker run --device /dev/video0).')
