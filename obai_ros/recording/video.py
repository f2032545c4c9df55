# SPDX-License-Identifier: Apache-2.0
"""Reads video files and folders of images, as far as OpenCV can, as footage without actions."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from obai_ros.camera.source import CameraError, open_source
from obai_ros.recording import RecordingError
from obai_ros.recording.footage import Footage, Framing

VIDEOS = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.ogv', '.webm', '.wmv')
"""Endings of the files of a folder that count as videos."""

MISCOUNTED = 0.1
"""Share of its pictures by which a whole video may be wrong about their number."""


def videos_in(folder: Path) -> list[Path]:
    """Return the videos of a folder by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS)


def read_videos(paths: list[Path], framing: Framing) -> Footage:
    """
    Read videos, or folders of images, each a piece of the footage.

    Raises RecordingError for one that cannot be read, or that changes its size.
    """
    images, piece = [], []
    for number, path in enumerate(paths):
        for picture in _pictures(path):
            images.append(framing.picture(picture))
            piece.append(number)
    return Footage(np.stack(images), None, np.array(piece, np.int64), np.zeros(0, np.int64),
                   np.zeros((0, 4), np.float32))


def _pictures(path: Path):
    """Yield the pictures of one source."""
    try:
        source = open_source(str(path), loop=False)
        first, count = None, 0
        while (picture := source.read()) is not None:
            first = picture.shape if first is None else first
            if picture.shape != first:
                raise RecordingError(
                    f'{path} has pictures of {first[1]}x{first[0]} and of {picture.shape[1]}x'
                    f'{picture.shape[0]} px, expected one size: keep each size in a folder of '
                    f'its own')
            yield picture
            count += 1
        source.close()
    except CameraError as error:
        raise RecordingError(str(error)) from error
    if count < (1.0 - MISCOUNTED) * source.claimed - 1:
        raise RecordingError(
            f'{path} says that it has {source.claimed} pictures, but after {count} no more can '
            f'be read: it is damaged or was not copied whole. Take it from where it came, or '
            f'what can be read of it: ffmpeg -i {path.name} -c:v mjpeg whole.avi')
