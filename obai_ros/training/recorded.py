# SPDX-License-Identifier: Apache-2.0
"""Experience that was recorded, in place of the simulator's: files, bags and videos as clips."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.recording.footage import Footage, Framing
from obai_ros.training.dataset import Dataset, read_dataset


@dataclass(frozen=True)
class Clips:
    """
    B videos of T frames; the recorded counterpart of environment.sequences.Sequences.

    images: [B, T, 3, H, W] float32 in [0, 1]; labels: [B, T, H, W] uint8 (0 = background), None
    where the truth is not known. actions: T action fields; actions[t] acts between t and t + 1.
    """

    images: Tensor
    labels: Tensor | None
    actions: tuple[ActionField, ...]


class Recorded:
    """
    Footage to learn from, and to validate on: the last tenth is held out.

    footage: of the size of the recipe's last stage; earlier stages see it smaller. name: what it
    is called in what is said and kept about a run.
    """

    def __init__(self, footage: Footage, name: str):
        self.footage, self.name = footage, name

    def check(self, stages: Sequence) -> None:
        """Raise ValueError unless there is something to learn from in each stage."""
        for stage in stages:
            size = self.footage.images.shape[2]
            if size % stage.image_size:
                raise ValueError(
                    f'stage {stage.name!r} has images of {stage.image_size} px, but recordings '
                    f'of {size} px can only be halved and the like: expected a divisor of {size}')
            if len(self.footage.in_a_row(stage.frames)) < 2:
                raise ValueError(
                    f'{self.name} has {self.footage.frames} frames in {self.footage.pieces} '
                    f'unbroken pieces, too few for stage {stage.name!r}: expected at least two '
                    f'clips of {stage.frames} frames, one to learn from and one to validate on; '
                    f'record for longer')

    def draw(self, stage, count: int, generator: torch.Generator, device) -> Clips:
        """Return `count` clips that begin at random frames, none of them held out."""
        starts = self.footage.starts(stage.frames)
        starts = starts[starts + stage.frames <= self._held_out(stage)[0]]
        chosen = torch.randint(len(starts), (count,), generator=generator,
                               device=generator.device).cpu().numpy()
        return self._clips(stage, starts[chosen], device)

    def validation_clips(self, stage, count: int) -> Clips:
        """Return the clips that are held out, `count` at most, on the CPU."""
        return self._clips(stage, self._held_out(stage)[:count], 'cpu')

    def _held_out(self, stage) -> np.ndarray:
        starts = self.footage.in_a_row(stage.frames)
        return starts[-max(1, len(starts) // 10):]

    def _clips(self, stage, starts: np.ndarray, device) -> Clips:
        dataset = Dataset(*self.footage.clips(starts, stage.frames))
        images, labels, fields = dataset.part(0, dataset.sequences, device)
        clips = Clips(images, labels, tuple(fields))
        ratio = images.shape[-1] // stage.image_size
        return clips if ratio == 1 else smaller(clips, ratio)


def smaller(clips: Clips, ratio: int) -> Clips:
    """Return clips with 1/ratio of the height and width, px and px/frame^2 of their own."""
    images = F.avg_pool2d(clips.images.flatten(0, 1), ratio)
    labels = clips.labels
    if labels is not None:
        labels = labels[..., ratio // 2::ratio, ratio // 2::ratio]
    actions = tuple(
        replace(field, row=field.row // ratio, col=field.col // ratio,
                acceleration=field.acceleration / ratio, height=field.height // ratio,
                width=field.width // ratio) for field in clips.actions)
    return Clips(images.unflatten(0, clips.images.shape[:2]), labels, actions)


@dataclass(frozen=True)
class Recordings:
    """Recordings on disk, and how they are to be seen; see `read_footage` for all three."""

    path: Path
    image_topic: str = ''
    resize: str = 'crop'

    def footage(self, size: int) -> Footage:
        """Return them with images of size x size px. Raises ValueError as `read_footage`."""
        return read_footage(self.path, size, self.image_topic, self.resize)


def read_footage(path: Path, size: int, image_topic: str = '', resize: str = 'crop') -> Footage:
    """
    Read recordings: a file from `obai generate`, a rosbag2 folder or a file of one (MCAP or
    SQLite), a bag of ROS 1, a video, a folder of videos, or a folder of images, which counts as
    one video.

    size: side of the images to return, px; resize: crop, letterbox or stretch, how others are
    fitted. image_topic: which images of a bag; '' where there is no choice.
    Raises ValueError, in a sentence, for what is not there or cannot be read.
    """
    from obai_ros.recording.bag import bag_at, read_bag
    from obai_ros.recording.video import read_videos, videos_in

    path, framing = Path(path), Framing(size, resize)
    if not path.exists():
        raise ValueError(f'{path} does not exist: expected a folder of videos, a video, a rosbag2 '
                         f'folder, or an .npz file from `obai generate`')
    bag = None if path.suffix == '.npz' else bag_at(path)
    if bag is not None:
        return read_bag(bag, framing, image_topic)
    if image_topic:
        raise ValueError(f'{path} is no bag, so --image-topic means nothing: leave it out')
    if path.suffix == '.npz':
        return _footage(_fitted(read_dataset(path), framing))
    return read_videos((videos_in(path) or [path]) if path.is_dir() else [path], framing)


def _fitted(dataset: Dataset, framing: Framing) -> Dataset:
    """Return the sequences of a file in the size of the model; as they are if they have it."""
    height, width = dataset.images.shape[2:4]
    if (height, width) == (framing.size, framing.size):
        return dataset
    images = [[framing.picture(image) for image in video] for video in dataset.images]
    masks = [[framing.labels(mask) for mask in video] for video in dataset.masks]
    row, col = dataset.actions[:, 2:4].T
    points, inside = framing.points(row, col, dataset.actions[:, 4:], height, width)
    return Dataset(np.array(images), np.array(masks),
                   np.concatenate([dataset.actions[inside, :2], points], 1))


def _footage(dataset: Dataset) -> Footage:
    """Return the sequences of a file, each a piece."""
    sequences, frames = dataset.images.shape[:2]
    images, masks = (array.reshape(sequences * frames, *array.shape[2:])
                     for array in (dataset.images, dataset.masks))
    acted = (dataset.actions[:, 0] * frames + dataset.actions[:, 1]).astype(np.int64)
    order = np.argsort(acted, kind='stable')
    return Footage(images, masks, np.repeat(np.arange(sequences), frames), acted[order],
                   dataset.actions[order, 2:].astype(np.float32))


def recorded_dataset(path: Path, size: int, image_topic: str = '', resize: str = 'crop',
                     frames: int = 8, seen: int = 4, say=print) -> Dataset:
    """
    Return recordings as a data set to evaluate on: clips without common frames.

    The videos of a file from `obai generate` keep their length. Of others the clips have `frames`
    frames or, where nothing is that long, `seen`. say(sentence): what of a bag was used.
    Raises ValueError as `read_footage` does.
    """
    path = Path(path)
    if path.suffix == '.npz' and not image_topic:
        return _fitted(read_dataset(path), Framing(size, resize))
    footage = read_footage(path, size, image_topic, resize)
    if footage.origin:
        say(f'{path}: {footage.origin}')
    for length in (frames, seen):
        starts = footage.in_a_row(length)
        if len(starts):
            return Dataset(*footage.clips(starts, length))
    raise ValueError(f'{path} has {footage.frames} frames in {footage.pieces} unbroken pieces: '
                     f'expected at least {seen} frames in a row')
