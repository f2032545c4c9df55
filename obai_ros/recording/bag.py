# SPDX-License-Identifier: Apache-2.0
"""Reads bags of ROS 2, MCAP or SQLite, and of ROS 1 by the `rosbags` library, without ROS."""
from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
from rosbags.highlevel import AnyReader

from obai_ros.messages import action_field, compressed_image, image
from obai_ros.recording import RecordingError
from obai_ros.recording.definitions import Definitions
from obai_ros.recording.footage import Footage, Framing

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
ACTION = 'obai_ros/msg/ActionField'
NEEDED = {
    IMAGE: ('header', 'height', 'width', 'encoding', 'is_bigendian', 'step', 'data'),
    COMPRESSED: ('header', 'format', 'data'),
    ACTION: ('header', 'height', 'width', 'row', 'col', 'ax', 'ay', 'cut')}
"""What is read of each type of message."""
ACTIONS, TRUTH = 'applied_action_field', 'ground_truth/label_image'
FILES = ('.mcap', '.db3')
ROS1 = '.bag'

GAP = 2.5
"""Without a record of the actions, frames follow each other if the time between them is at most
this many times the usual one."""


def bag_at(path: Path) -> Path | None:
    """Return what to open when `path` is a bag, a folder or one file of it, and None if not.

    `rosbags` reads files of ROS 1, too.
    """
    if path.suffix == '.zstd':
        raise RecordingError(f'{path} is compressed: unpack it first, `zstd -d {path.name}`')
    if path.is_file():
        return path if path.suffix in (*FILES, ROS1) else None
    if (path / 'metadata.yaml').is_file():
        return path
    files = [file for file in sorted(path.glob('*')) if file.suffix in FILES]
    if len(files) > 1:
        raise RecordingError(f'{path} has no metadata.yaml, but {len(files)} files of bags: run '
                             f'`ros2 bag reindex {path}`, or give one of the files')
    return files[0] if files else None


def read_bag(path: str | Path, framing: Framing, image_topic: str = '') -> Footage:
    """
    Read the images of a bag, with what was done and the truth if they were recorded beside them.

    image_topic: which images; '' if there is only one candidate. The actions are those of
    applied_action_field, and the truth that of ground_truth/label_image (`companion`); both belong
    to the image whose stamp they bear. Actions are for the grid of the model, of framing.size px,
    as perception_node takes them, or for the whole image. Frames that the actions say nothing
    about, that were cut (the simulator was reset), or that come after a gap begin a new piece; so
    do those around images without their truth, which are left out.
    Raises RecordingError.
    """
    definitions = Definitions()
    for kind in (IMAGE, COMPRESSED, ACTION):  # for bags from before Iron, which hold none
        definitions.of(kind)
    with contextlib.ExitStack() as stack:
        with _library(path):
            reader = stack.enter_context(
                AnyReader([Path(path)], default_typestore=definitions.store))
        return _read(path, reader, framing, image_topic)


@contextlib.contextmanager
def _library(path: Path):
    """
    Say in a sentence what `rosbags` stumbles over in a bag.

    It trusts what it reads: of damaged bytes come errors of all kinds, of the decompressor, of
    SQLite, of numbers that are no sizes. Nothing but the library may be called in here.
    """
    try:
        yield
    except Exception as error:
        raise RecordingError(
            f'{path} cannot be read as a bag ({str(error) or type(error).__name__}): was the '
            f'recording ended properly, and the file copied whole? `ros2 bag reindex` may repair '
            f'it') from error


def _messages(path: Path, reader: AnyReader, wanted: list):
    """Yield (topic, when it came, message) of some connections of a bag."""
    raws = reader.messages(wanted)
    while True:
        with _library(path):
            found = next(raws, None)
            if found is None:
                return
            connection, received, raw = found
            message = reader.deserialize(raw, connection.msgtype)
        yield connection.topic, received, message


def _read(path: Path, reader: AnyReader, framing: Framing, image_topic: str) -> Footage:
    kinds = {name: info.msgtype for name, info in reader.topics.items() if info.msgcount}
    if not kinds:
        raise RecordingError(f'{path} is empty: record it anew, with `obai record` for instance, '
                             f'while images are published')
    topic = choose_topic(path, kinds, image_topic)
    actions_topic = companion(kinds, topic, ACTIONS, ACTION)
    labels_topic = companion(kinds, topic, TRUTH, IMAGE)
    images, labels, actions = {}, {}, {}
    size = None
    wanted = [connection for connection in reader.connections
              if connection.topic in (topic, actions_topic, labels_topic)]
    for connection in wanted:
        _check_fields(path, connection, reader)
    for name, received, message in _messages(path, reader, wanted):
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec or received
        try:
            if name == topic:
                picture = decode(message)
                size = size or picture.shape[:2]
                _check_size(topic, picture, size)
                images.setdefault(stamp, framing.picture(picture))
            elif name == labels_topic:
                labels.setdefault(stamp, framing.labels(truth(message)))
            elif name == actions_topic:
                actions.setdefault(stamp, message)
        except ValueError as error:
            raise RecordingError(f'{path}, topic {name}: {error}') from error
    stamps = sorted(stamp for stamp in images if labels_topic is None or stamp in labels)
    if not stamps:
        raise RecordingError(f'{path} has no image on {topic} whose truth is on {labels_topic}, '
                             f'by stamp: record both at the same time')
    acted, points = _points(path, stamps, actions, framing, size)
    return Footage(
        np.stack([images[stamp] for stamp in stamps]),
        np.stack([labels[stamp] for stamp in stamps]) if labels_topic else None,
        _pieces(stamps, images, actions, actions_topic is not None), acted, points,
        f'images of {topic}, {_used("actions", ACTIONS, actions_topic)}, '
        f'{_used("truth", TRUTH, labels_topic)}')


def _check_fields(path: Path, connection, reader: AnyReader) -> None:
    """Raise RecordingError where messages were recorded that lack what is read of them."""
    kind = connection.msgtype
    theirs = {name for name, _ in reader.typestore.fielddefs[kind][1]}
    missing = [name for name in NEEDED[kind] if name not in theirs]
    if missing:
        raise RecordingError(
            f'{path}, topic {connection.topic}: its messages are of another {kind} than this '
            f'version knows, without {", ".join(missing)}: record it anew, or read it with the '
            f'version that it was recorded with')


def companion(kinds: dict[str, str], topic: str, name: str, kind: str) -> str | None:
    """
    Return the topic of a bag that belongs to the images on `topic`, or None.

    kinds: topic -> type, of those that have messages; name, kind: what it is called and its type.
    That is the one in the namespace of the images. Nodes whose image_raw is remapped to a camera
    of another namespace leave theirs where they are, so without one there it is the only one in
    the bag, unless it lies beside other images of its own.
    """
    beside = f'{_home(topic)}/{name}'
    if kinds.get(beside) == kind:
        return beside
    spoken_for = {_home(other) for other, its in kinds.items()
                  if its in (IMAGE, COMPRESSED)
                  and other.removesuffix('/compressed').endswith('/image_raw')}
    found = [other for other, its in kinds.items() if its == kind and other.endswith(f'/{name}')]
    if len(found) == 1 and found[0].removesuffix(f'/{name}') not in spoken_for:
        return found[0]
    return None


def _home(topic: str) -> str:
    """Return the namespace of a topic of images."""
    return topic.removesuffix('/compressed').rpartition('/')[0]


def _used(what: str, name: str, topic: str | None) -> str:
    return f'{what} of {topic}' if topic else f'no {what} (none on {name} that belongs to them)'


def choose_topic(path: Path, kinds: dict[str, str], image_topic: str) -> str:
    """
    Return the topic that the images are on.

    kinds: topic -> type, of those that have messages. Raises RecordingError when the one that is
    asked for is not there, or nothing was asked for and there are several or none.
    """
    candidates = sorted(name for name, kind in kinds.items() if kind in (IMAGE, COMPRESSED))
    if image_topic:
        wanted = f'/{image_topic.lstrip("/")}'
        if wanted not in candidates:
            raise RecordingError(
                f'{path} has no images on {wanted}: name one of '
                f'{", ".join(candidates) or "no topics, as it has no images"}')
        return wanted
    if not candidates:
        raise RecordingError(f'{path} has no images, only {", ".join(sorted(kinds))}: record a '
                             f'topic of type {IMAGE} as well')
    raw = [name for name in candidates if name.rpartition('/')[2] == 'image_raw']
    likely = raw or [name for name in candidates if name.endswith('image_raw/compressed')]
    if len(likely or candidates) > 1:
        raise RecordingError(f'{path} has several topics of images ({", ".join(candidates)}): '
                             f'choose with --image-topic')
    return (likely or candidates)[0]


def decode(message) -> np.ndarray:
    """Return [H, W, 3] uint8 RGB of an Image or CompressedImage. Raises ValueError."""
    compressed = hasattr(message, 'format')
    return compressed_image.to_rgb8(message) if compressed else image.to_rgb8(message)


def truth(message) -> np.ndarray:
    """Return [H, W] uint8, the number of the object at each pixel. Raises ValueError."""
    labels = image.to_array(message)
    if labels.ndim != 2:
        raise RecordingError(f'the truth has encoding {message.encoding!r}, expected numbers of '
                             f'objects, 8UC1 or mono8: record without it, or as numbers')
    return labels


def _check_size(topic: str, picture: np.ndarray, size: tuple[int, int]) -> None:
    if picture.shape[:2] != size:
        raise RecordingError(
            f'images of {size[1]}x{size[0]} and of {picture.shape[1]}x{picture.shape[0]} px are '
            f'mixed, expected one size: record each size into a bag of its own')


def _points(path: Path, stamps: list[int], actions: dict, framing: Framing, size: tuple[int, int]):
    """Return `acted` and `points` of Footage."""
    acted, points = [np.zeros(0, np.int64)], [np.zeros((0, 4), np.float32)]
    for frame, stamp in enumerate(stamps):
        if stamp not in actions:
            continue
        try:
            points.append(_points_of(actions[stamp], framing, size))
        except action_field.ActionFieldError as error:
            raise RecordingError(f'{path}: {error}') from error
        acted.append(np.full(len(points[-1]), frame, np.int64))
    return np.concatenate(acted), np.concatenate(points)


def _points_of(message, framing: Framing, size: tuple[int, int]) -> np.ndarray:
    """Return the points of a field on the grid of the model, [P, 4] float32 (row, col, ax, ay)."""
    grid = message.height, message.width
    if grid == (framing.size, framing.size):
        row, col, acceleration = action_field.read(message, *grid)
        return np.column_stack([row, col, acceleration]).astype(np.float32)
    if grid != size:
        raise action_field.WrongGrid(
            f'an action field is for a grid of {grid[0]}x{grid[1]} px, expected '
            f'{framing.size}x{framing.size}, as large as the images of the model, or '
            f'{size[0]}x{size[1]}, as large as the recorded ones')
    return framing.points(*action_field.read(message, *grid), *size)[0]


def _pieces(stamps: list[int], images: dict, actions: dict, known: bool) -> np.ndarray:
    """
    Number the unbroken pieces of video, [F] int64.

    stamps: of the frames; images, actions: all there are, by stamp, also of frames that were left
    out or whose image was lost; known: whether the actions between frames were recorded.
    """
    place = {stamp: index for index, stamp in enumerate(sorted({*images, *actions}))}
    usual = float(np.median(np.diff(stamps))) if len(stamps) > 1 else 0.0
    breaks = np.zeros(len(stamps), np.int64)
    for frame in range(1, len(stamps)):
        before, now = stamps[frame - 1], stamps[frame]
        if known:
            broken = before not in actions or actions[before].cut
        else:
            broken = now - before > GAP * usual
        breaks[frame] = broken or place[now] != place[before] + 1
    return np.cumsum(breaks)
