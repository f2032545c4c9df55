# SPDX-License-Identifier: Apache-2.0
"""
Videos with true segmentations on disk: one .npz file, which any program may write.

images: uint8 [S, T, H, W, 3]. masks: uint8 [S, T, H, W], 0 = background, n = object n.
actions: float32 [A, 6], rows (sequence, frame, row, col, ax, ay): the accelerations, px/frame^2,
that act on that frame's visible pixels.
"""
from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from obai_ros.action_field import ActionField
from obai_ros.environment.photograph import photograph, sample_light
from obai_ros.environment.scene import SceneConfig
from obai_ros.environment.sequences import Sequences, sample_sequences
from obai_ros.whole_file import whole_file

GENERATED_SEED = 2 ** 41
"""Seeds of generated files count from here; training seeds are mixed and never this small."""

DRAWN, PHOTOGRAPHED = 256, 4
"""Videos that are made at once: photographs are drawn finer than they are seen."""


@dataclass(frozen=True)
class Dataset:
    """
    S videos of T frames, as in the file; see the module's docstring.

    images: [S, T, H, W, 3] uint8. masks: [S, T, H, W] uint8, or None where the truth is not known
    (never in a file). actions: [A, 6] float32.
    """

    images: np.ndarray
    masks: np.ndarray | None
    actions: np.ndarray

    def __post_init__(self):
        _check(self.images, self.masks, self.actions)

    @property
    def sequences(self) -> int:
        return self.images.shape[0]

    @property
    def frames(self) -> int:
        return self.images.shape[1]

    def first(self, count: int) -> Dataset:
        """Return the first sequences, all of them if there are fewer than `count`."""
        if count < 1:
            raise ValueError(f'{count} sequences of a data set: expected at least 1')
        masks = None if self.masks is None else self.masks[:count]
        return Dataset(self.images[:count], masks, self.actions[self.actions[:, 0] < count])

    def part(self, start: int, stop: int, device='cpu') -> tuple:
        """
        Return some sequences for a model.

        images [B, T, 3, H, W] float32 in [0, 1], labels [B, T, H, W] uint8 or None, T action
        fields.
        """
        images = torch.from_numpy(self.images[start:stop]).to(device)
        images = images.permute(0, 1, 4, 2, 3).float() / 255.0
        labels = None
        if self.masks is not None:
            labels = torch.from_numpy(self.masks[start:stop]).to(device)
        return images, labels, self._fields(start, len(images), device)

    def _fields(self, start: int, batch: int, device) -> list[ActionField]:
        height, width = self.images.shape[2:4]
        sequence = self.actions[:, 0].astype(np.int64) - start
        chosen = self.actions[(sequence >= 0) & (sequence < batch)]
        fields = []
        for frame in range(self.frames):
            rows = chosen[chosen[:, 1] == frame]
            owner = rows[:, 0].astype(np.int64) - start
            order = np.argsort(owner, kind='stable')
            rows, owner = rows[order], owner[order]
            # The n-th row of a sequence goes to column n of the padded batch.
            column = np.arange(len(owner)) - np.searchsorted(owner, owner)
            points = int(column.max()) + 1 if len(column) else 0
            padded = np.zeros((batch, points, 4), np.float32)
            padded[owner, column] = rows[:, 2:]
            values = torch.from_numpy(padded).to(device)
            fields.append(ActionField(values[..., 0].long(), values[..., 1].long(),
                                      values[..., 2:], height, width))
        return fields


def _check(images: np.ndarray, masks: np.ndarray | None, actions: np.ndarray) -> None:
    if images.ndim != 5 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f'images is {images.dtype} {images.shape}: expected uint8 '
                         f'[sequences, frames, height, width, 3]')
    if 0 in images.shape:
        raise ValueError(f'images has shape {images.shape}: there is nothing in it')
    if masks is not None and (masks.shape != images.shape[:-1] or masks.dtype != np.uint8):
        raise ValueError(f'masks is {masks.dtype} {masks.shape}: expected uint8 '
                         f'{images.shape[:-1]}, as the images are')
    if actions.ndim != 2 or actions.shape[1] != 6 or actions.dtype.kind != 'f':
        raise ValueError(f'actions is {actions.dtype} {actions.shape}: expected float32 [rows, 6] '
                         f'of (sequence, frame, row, col, ax, ay)')
    if not np.isfinite(actions).all():
        raise ValueError('actions has a value that is not finite')
    names = ('sequence', 'frame', 'row', 'col')
    for column, (name, size) in enumerate(zip(names, images.shape[:4])):
        values = actions[:, column]
        wrong = (values < 0) | (values >= size) | (values != np.floor(values))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise ValueError(f'actions row {first} has {name} {values[first]:g}: expected a whole '
                             f'number in 0..{size - 1}')


def read_dataset(path: str | Path) -> Dataset:
    """Read a file. Raises ValueError, in a sentence, for one that is not in the format."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'{path} does not exist: `obai generate` makes such a file')
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile('it is no zip archive')
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in ('images', 'masks', 'actions') if name not in file]
            if missing:
                raise ValueError(f'it lacks {missing}: expected images, masks and actions, '
                                 f'as `obai generate` writes')
            values = {name: _array(file, name) for name in ('images', 'masks', 'actions')}
        return Dataset(**values)
    # RuntimeError: a compression that is not known here, or a password.
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(f'{path} is not an .npz file, or is damaged: {error}') from error
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def _array(file: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        value = file[name]
    except (ValueError, tokenize.TokenError) as error:  # the latter of what should be a header
        raise ValueError(f'{name} in it cannot be read as an array of numbers: expected what '
                         f'`obai generate` writes') from error
    if not isinstance(value, np.ndarray):
        raise ValueError(f'{name} in it is no array')
    return value


def write_dataset(path: str | Path, dataset: Dataset) -> None:
    """Write a file in the form that `read_dataset` expects."""
    with whole_file(path) as file:
        np.savez_compressed(file, images=dataset.images, masks=dataset.masks,
                            actions=dataset.actions)


def generate_dataset(scene: SceneConfig, sequences: int, frames: int, seed: int,
                     action_frame: int = 1, photographs: bool = False) -> Dataset:
    """
    Return fresh videos with one random action field each, as in section 2.4 of the paper.

    photographs: whether they look as a camera would see them (`environment.photograph`). Raises
    ValueError for more videos than this machine has memory for.
    """
    generator = torch.Generator().manual_seed(GENERATED_SEED + seed)
    size = scene.image_size
    needed = sequences * frames * size ** 2 * 4  # bytes: three of the image, one of the mask
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    if needed > memory:
        raise ValueError(f'{sequences} videos of {frames} frames of {size}x{size} px take '
                         f'{needed / 1e9:,.0f} GB, and this machine has {memory / 1e9:,.0f} GB: '
                         f'expected fewer')
    images = np.empty((sequences, frames, size, size, 3), np.uint8)
    masks = np.empty((sequences, frames, size, size), np.uint8)
    actions, batch = [], PHOTOGRAPHED if photographs else DRAWN
    for start in range(0, sequences, batch):
        videos = sample_sequences(scene, min(batch, sequences - start), frames, generator,
                                  'cpu', (action_frame,))
        stop = start + len(videos.images)
        seen = _photographs(videos, scene, generator) if photographs else videos.images
        levels = (seen * 255.0).round().to(torch.uint8)
        images[start:stop] = levels.permute(0, 1, 3, 4, 2).numpy()
        masks[start:stop] = videos.labels.numpy()
        actions.append(_action_rows(videos, start))
    return Dataset(images, masks, np.concatenate(actions))


def _photographs(videos: Sequences, scene: SceneConfig, generator: torch.Generator
                 ) -> torch.Tensor:
    """Return what a camera would see of videos, [B, T, 3, H, W], each in a light of its own."""
    light = sample_light(scene, len(videos.images), generator)
    return torch.stack([photograph(state, light, scene, generator) for state in videos.scenes], 1)


def _action_rows(videos: Sequences, start: int) -> np.ndarray:
    rows = []
    for frame, field in enumerate(videos.actions):
        sequence, point = torch.nonzero(field.acceleration.abs().sum(-1), as_tuple=True)
        acceleration = field.acceleration[sequence, point]
        rows.append(torch.stack([
            sequence.float() + start, torch.full_like(sequence, frame).float(),
            field.row[sequence, point].float(), field.col[sequence, point].float(),
            acceleration[:, 0], acceleration[:, 1]], 1))
    return torch.cat(rows).numpy().astype(np.float32)
