# SPDX-License-Identifier: Apache-2.0
"""The state of the world: what is where, how fast, and what an action field does to it."""
from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.environment.shapes import SHAPES
from obai_ros.settings import require_kinds


@dataclass(frozen=True)
class SceneConfig:
    """
    Distribution of scenes (section 2.4, Appendix A).

    The paper's: 64 x 64 px, three squares, ellipses and hearts on a ground of one grey, velocities
    with a standard deviation of 4 px/frame, accelerations with 4 px/frame^2, colours at discrete
    levels. Where it does not say, assumed: which levels, how large objects are, where they begin,
    and that edges have no half-tones.
    """

    image_size: int = 64
    """Height and width of the image, px."""
    num_objects: int = 3
    """Objects of a scene; the model needs a slot more."""
    shapes: tuple[str, ...] = SHAPES
    """What objects may be: square, ellipse, heart."""
    position_range: tuple[float, float] = (0.2, 0.8)
    """Range of the centres at the start, as a fraction of the image."""
    size_range: tuple[float, float] = (1 / 6, 1 / 3)
    """Range of the bounding square's side, as a fraction of the image."""
    velocity_sd: float = 4.0
    """Standard deviation of the initial velocity per axis, px/frame in a 64 px image."""
    acceleration_sd: float = 4.0
    """Standard deviation of accelerations in random action fields, px/frame^2 at 64 px."""
    palette: tuple[int, ...] = (0, 63, 127, 191, 255)
    """Levels of each colour channel and of the grey background, 0..255."""

    def __post_init__(self):
        require_kinds(self)
        unknown = [name for name in self.shapes if name not in SHAPES]
        if unknown or not self.shapes:
            raise ValueError(f'unknown shapes {unknown}: choose some of {list(SHAPES)}')
        if self.image_size < 8:
            raise ValueError(f'image_size is {self.image_size}: expected at least 8 px')
        if not 1 <= self.num_objects <= 254:
            raise ValueError(f'num_objects is {self.num_objects}: expected 1..254, because label '
                             f'images have 8 bits')
        if not all(0 <= level <= 255 for level in self.palette) or not self.palette:
            raise ValueError(f'palette is {self.palette}: expected levels in 0..255')
        for name in ('position_range', 'size_range'):
            low, high = getattr(self, name)
            if not low <= high:
                raise ValueError(f'{name} is ({low}, {high}): expected low <= high')
        if self.size_range[0] <= 0:
            raise ValueError(f'size_range is {self.size_range}: expected positive sizes')
        for name in ('velocity_sd', 'acceleration_sd'):
            if getattr(self, name) < 0:
                raise ValueError(f'{name} is {getattr(self, name)}: expected 0 or more')

    @property
    def pixels_per_unit(self) -> float:
        """Velocities and accelerations are stated for 64 px and scale with the image."""
        return self.image_size / 64.0


@dataclass(frozen=True)
class Scene:
    """
    B scenes of O objects; a later index is nearer to the viewer and hides what is behind.

    shape: [B, O] int64, index into `SHAPES`.
    position: [B, O, 2] (x, y) of the bounding square's centre, px; pixel (row, col) covers
    [col, col + 1) x [row, row + 1), so that the middle of the image is (W/2, H/2).
    velocity: [B, O, 2], px/frame.
    size: [B, O], side of the bounding square, px.
    orientation: [B, O], rad, clockwise as seen (y points down).
    colour: [B, O, 3] in [0, 1]; background: [B], grey level in [0, 1].
    """

    shape: Tensor
    position: Tensor
    velocity: Tensor
    size: Tensor
    orientation: Tensor
    colour: Tensor
    background: Tensor

    @property
    def batch(self) -> int:
        return self.shape.shape[0]

    @property
    def num_objects(self) -> int:
        return self.shape.shape[1]

    def __getitem__(self, part: slice) -> Scene:
        """Return some of the scenes."""
        return Scene(**{name: value[part] for name, value in vars(self).items()})


def episode_generator(seed: int, episode: int) -> torch.Generator:
    """
    Return the randomness of an episode, on the CPU: a scene and what is asked for in it.

    seed: 0 .. 2**31 - 1; episode: counted from 0, below 2**20. Whoever plays the episodes of a
    seed, in whatever order, plays the same ones; the numbers are far from those of training.
    """
    return torch.Generator().manual_seed(2 ** 52 + seed * 2 ** 20 + episode)


def sample_scene(config: SceneConfig, batch: int, generator: torch.Generator,
                 device='cpu') -> Scene:
    """
    Draw `batch` independent scenes.

    generator must live on `device`. An object may have the background's colour, and is then
    invisible: this is part of the environment and caps what segmentation can reach.
    """
    size = (batch, config.num_objects)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator, device=device)

    def choose(values: Tensor, *shape: int) -> Tensor:
        index = torch.randint(len(values), shape, generator=generator, device=device)
        return values[index]

    levels = torch.tensor(config.palette, dtype=torch.float32, device=device) / 255.0
    shapes = torch.tensor([SHAPES.index(name) for name in config.shapes], device=device)
    pixels = float(config.image_size)
    return Scene(
        shape=choose(shapes, *size),
        position=uniform(*config.position_range, *size, 2) * pixels,
        velocity=config.velocity_sd * config.pixels_per_unit * torch.randn(
            *size, 2, generator=generator, device=device),
        size=uniform(*config.size_range, *size) * pixels,
        orientation=uniform(0.0, 2.0 * math.pi, *size),
        colour=choose(levels, *size, 3),
        background=choose(levels, batch))


def object_accelerations(labels: Tensor, action: ActionField, num_objects: int) -> Tensor:
    """
    Sum an action field over each object's visible pixels (eq. 7 with the true assignment).

    labels: [B, H, W] uint8, 0 = background, n = object n (counted from 1).
    Returns [B, O, 2], px/frame^2. Accelerations on the background change nothing.
    """
    owner = labels.flatten(1).gather(1, action.flat_index()).long()  # [B, P]
    total = action.acceleration.new_zeros(labels.shape[0], num_objects + 1, 2)
    total.scatter_add_(1, owner[..., None].expand(-1, -1, 2), action.acceleration)
    return total[:, 1:]


def step(scene: Scene, labels: Tensor, action: ActionField) -> Scene:
    """
    Advance by one frame: v_{t+1} = v_t + a_t, p_{t+1} = p_t + v_{t+1}.

    labels: [B, H, W] uint8, the rendered labels of `scene`: only visible pixels feel a force.
    Raises ValueError when the action field does not fit the grid of the labels.
    """
    action.check(scene.batch, labels.shape[1], labels.shape[2])
    velocity = scene.velocity + object_accelerations(labels, action, scene.num_objects)
    return replace(scene, velocity=velocity, position=scene.position + velocity)
