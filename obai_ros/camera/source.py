# SPDX-License-Identifier: Apache-2.0
"""Where pictures come from, one after the other: a camera, a video file, a folder of images.

A source has
    words     what it is, for people,
    live      whether it has a pace of its own: read() waits for the next picture,
    rate      pictures per second that it makes or was made with; 0 if it does not say,
    read()    returns the next picture, [H, W, 3] uint8 RGB, or None after the last one; raises
              CameraError when that picture cannot be had, after which the next may be tried,
    close()   lets go of it.
"""

import contextlib
import math
import os
from pathlib import Path
import re
import sys

import cv2
import numpy as np

from obai_ros.camera.devices import describe_cameras

# FFmpeg writes to the terminal what we say in a sentence; whoever wants to read it sets this.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')

IMAGES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')
"""Endings of the files of a folder that count as pictures."""


class CameraError(RuntimeError):
    """A source or a picture of it cannot be had; the message says why and what to do."""


def open_source(name: str, loop: bool = True, width: int = 0, height: int = 0):
    """Open the source of that name and make sure that it has a picture.

    name: a camera (its number N or /dev/videoN), a video file, or a folder of images. loop: begin
    anew after the last picture of a file or folder. width, height: px, what to ask a camera for;
    0 = as it likes. Raises CameraError.
    """
    path = Path(os.path.expanduser(name))  # as it is where there is no such home
    if re.fullmatch(r'\d+', name):
        return CameraSource(int(name), width, height)
    if name.startswith('/dev/'):
        return CameraSource(_number(path), width, height)
    if path.is_dir():
        return FolderSource(path, loop)
    if path.is_file():
        return VideoSource(path, loop)
    cameras = '' if path.suffix else f' {describe_cameras()}'
    raise CameraError(f'There is no {name!r}; expected a camera such as /dev/video0, a video '
                      f'file, or a folder of images.{cameras}')


class CameraSource:
    """A camera by number. A camera that went away is looked for again by the next read()."""

    live = True
    claimed = 0

    def __init__(self, number: int, width: int = 0, height: int = 0):
        self._number, self._width, self._height = number, width, height
        self.words = f'the camera /dev/video{number}'
        self._capture = None
        self._first = None
        self._open()
        self.rate = _rate(self._capture)

    def read(self) -> np.ndarray:
        if self._capture is None:
            self._open()
        picture, self._first = self._first, None
        if picture is None:
            picture = self._next()
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _open(self):
        device = f'/dev/video{self._number}'
        if sys.platform.startswith('linux') and not os.path.exists(device):
            raise CameraError(f'There is no camera {device}. {describe_cameras()}')
        with _quiet():
            self._capture = cv2.VideoCapture(self._number)
        if not self._capture.isOpened():
            self._capture = None
            raise CameraError(
                f'The camera {device} cannot be opened: another program may hold it (fuser -v '
                f'{device}), you may not be allowed to read it (groups: video), or it is not the '
                f'one that sends pictures. {describe_cameras()}')
        for key, value in ((cv2.CAP_PROP_FRAME_WIDTH, self._width),
                           (cv2.CAP_PROP_FRAME_HEIGHT, self._height),
                           (cv2.CAP_PROP_BUFFERSIZE, 1)):  # the newest picture, not the oldest
            if value:
                self._capture.set(key, value)
        self._first = self._next()

    def _next(self):
        with _quiet():
            good, picture = self._capture.read()
        if not good:
            self.close()
            raise CameraError(f'{self.words[0].upper()}{self.words[1:]} sends no picture: check '
                              f'its cable; it is looked for again. {describe_cameras()}')
        return picture


class VideoSource:
    """A video file, as far as it can be read."""

    live = False

    def __init__(self, path: Path, loop: bool):
        self._path, self._loop = path, loop
        self.words = f'the video {path}'
        self._capture = None
        self._first = self._begin()
        self.rate = _rate(self._capture)
        claimed = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.claimed = int(claimed) if math.isfinite(claimed) and claimed > 0 else 0
        """Pictures that it says it has, 0 if it does not say; roughly, for some containers."""

    def read(self) -> np.ndarray | None:
        picture, self._first = self._first, None
        if picture is None:
            picture = self._next()
        if picture is None and self._loop:
            picture = self._begin()
        return None if picture is None else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    def close(self) -> None:
        self._capture.release()

    def _begin(self):
        with _quiet():
            self._capture = cv2.VideoCapture(str(self._path))
        picture = self._next()
        if picture is None:
            raise CameraError(
                f'The video {self._path} cannot be read: it is damaged, empty, or of a kind that '
                f'this OpenCV does not know. Try it in a player, and convert it: ffmpeg -i '
                f'{self._path.name} -c:v mjpeg converted.avi')
        return picture

    def _next(self):
        with _quiet():
            good, picture = self._capture.read()
        return picture if good else None


class FolderSource:
    """The images of a folder, in the order of their names, in which numbers count as numbers."""

    live = False
    rate = 0.
    claimed = 0

    def __init__(self, path: Path, loop: bool):
        self._loop = loop
        self.words = f'the folder {path}'
        self._files = sorted((file for file in path.iterdir() if file.suffix.lower() in IMAGES),
                             key=_by_number)
        self._next = 0
        if not self._files:
            raise CameraError(f'The folder {path} holds no image; expected files that end in '
                              f'{", ".join(IMAGES)}.')
        load_picture(self._files[0])

    def read(self) -> np.ndarray | None:
        if self._next == len(self._files) and self._loop:
            self._next = 0
        if self._next == len(self._files):
            return None
        self._next += 1
        return load_picture(self._files[self._next - 1])

    def close(self) -> None:
        """Nothing is held open."""


def load_picture(path: Path) -> np.ndarray:
    """Return the picture of a file, [H, W, 3] uint8 RGB. Raises CameraError."""
    try:
        with _quiet():
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:  # raised for sizes that it does not allow, which damage may amount to
        picture = None
    if picture is None:
        raise CameraError(f'{path} cannot be read: expected a picture (PNG, JPEG and the like), '
                          'whole, and what its name says. Save it again, or take another one.')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _number(path):
    """Return N of a device file /dev/videoN or of a link to one, such as /dev/v4l/by-id/..."""
    device = path.resolve()
    match = re.fullmatch(r'/dev/video(\d+)', str(device))
    if match is None:
        raise CameraError(f'{path} is no camera; expected /dev/videoN or a link to it. '
                          f'{describe_cameras()}')
    return int(match[1])


def _by_number(path):
    # Digits in the sense of isdigit() are more than there are numbers: a superscript 2 is one.
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', path.name)]


def _rate(capture):
    """Return the pictures per second that a capture claims, 0 if that is nonsense."""
    rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if math.isfinite(rate) and 0 < rate <= 1000 else 0.


@contextlib.contextmanager
def _quiet():
    """Keep OpenCV from writing to the terminal; what fails is said in a sentence instead."""
    logging = cv2.utils.logging
    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)
