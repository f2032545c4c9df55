# SPDX-License-Identifier: Apache-2.0
"""The engine whose work is written out, so that faster code can be made of its parts."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.belief import ActionBelief
from obai_ros.model.descent import descend
from obai_ros.model.engine import Engine
from obai_ros.model.engines.describing import Describing
from obai_ros.model.engines.expecting import Expecting
from obai_ros.model.engines.moving import Moving
from obai_ros.model.engines.part import POINTS, Part
from obai_ros.model.engines.refining import Refining
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.percept import Description
from obai_ros.model.pixels import as_image
from obai_ros.model.window import Window, newest_mask


class Direct(Engine):
    """
    Does the same with the gradients written out (`refining.Refining`), for one model.

    Gives what the reference gives, up to the rounding of the model's precision. The weights are
    those that the model has now; a model that learns on needs a new engine.
    """

    name = 'direct'

    def __init__(self, model: Obai):
        self.model = model
        self.refining = Refining(model)
        self._written_out = {
            'refine': self.refining, 'expect': Expecting(model),
            'describe': Describing(self.refining.decoding, model.config.sigma_o)}
        self._moving: dict[int, Moving] = {}     # by frames
        # Faster code for some parts; it gives what written_out gives.
        self.prepared: dict[Part, Callable[..., tuple[Tensor, ...]]] = {}

    @torch.no_grad()
    def refine(self, model: Obai, window: Window, iterations: int, noise: Noise
               ) -> tuple[Window, Tensor]:
        """See `refinement.refine_repeatedly`. Raises ValueError for another model than its own."""
        self._check(model)
        part = Part('refine', window.batch, window.frames)
        once = self.code(part, _points(*window.fields))
        packed, hidden, cell = window.packed, window.hidden, window.cell
        images = in_rows(window.images)
        known = circumstances(window)
        for _ in range(iterations):
            epsilon = noise.normal(*packed.shape[:-1], model.config.latent_size,
                                   dtype=packed.dtype)
            packed, hidden, cell, action, mask, energy = once(
                images, packed, hidden, cell, epsilon, *known)
        return replace(window, packed=packed, hidden=hidden, cell=cell, action_packed=action,
                       mask=mask), energy

    @torch.no_grad()
    def expect(self, model: Obai, window: Window, field: ActionField, confined: bool
               ) -> tuple[Tensor, ActionBelief]:
        """See `window.expected`. Raises ValueError for another model than its own."""
        self._check(model)
        mask, points = newest_mask(window), _points(field)
        packed = window.packed[:, -1] if window.frames else window.past.belief.pack()
        packed, action = self.code(Part('expect', window.batch), points)(
            packed, mask, *_filled(field, points, mask.dtype), _flag(confined, mask))
        return packed, ActionBelief(*action.chunk(2, -1))

    @torch.no_grad()
    def move(self, model: Obai, window: Window) -> Window:
        """See `velocity.best_velocities`. Raises ValueError for another model than its own."""
        self._check(model)
        packed, = self.code(Part('move', window.batch, window.frames))(
            window.packed, window.action_packed, *_past(window))
        return replace(window, packed=packed)

    def descend(self, model: Obai, window: Window, steps: int) -> tuple[Window, Tensor]:
        """See `descent.descend`. Raises ValueError for another model than its own."""
        self._check(model)
        images = in_rows(window.images)
        known = circumstances(window)
        silence = torch.zeros_like(window.packed[..., :model.config.latent_size])

        def slope(packed: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            return self.refining.slope(images, packed, silence, *known)
        return descend(model, window, steps, slope)

    @torch.no_grad()
    def describe(self, model: Obai, mean: Tensor, image: Tensor) -> Description:
        """See `percept.describe`. Raises ValueError for another model than its own."""
        self._check(model)
        return Description(*self.code(Part('describe', len(mean)))(mean, image))

    def close(self) -> None:
        """Let go of faster code, which may have files unpacked for as long as it is there."""
        self.prepared.clear()

    def _check(self, model: Obai) -> None:
        if model is not self.model:
            raise ValueError('this engine was made for another model: make one for this model')

    def code(self, part: Part, points: int = POINTS) -> Callable[..., tuple[Tensor, ...]]:
        """Return what does a part; points: of the action fields it is given."""
        prepared = self.prepared.get(part) if points <= POINTS else None
        return prepared or self.written_out(part)

    def written_out(self, part: Part) -> torch.nn.Module:
        """Return the code that does it for any number of sequences."""
        if part.does != 'move':
            return self._written_out[part.does]
        if part.frames not in self._moving:
            self._moving[part.frames] = Moving(self.model, part.frames)
        return self._moving[part.frames]


def in_rows(images: Tensor) -> Tensor:
    """Turn images [..., C, M] into rows of pixels, [..., H, C, W]."""
    return as_image(images).transpose(-3, -2).contiguous()


def circumstances(window: Window) -> tuple[Tensor, ...]:
    """Return what no refinement changes, as `Refining.forward` takes it, from `known` on."""
    dtype, points = window.images.dtype, _points(*window.fields)
    if window.fields:
        filled = [_filled(field, points, dtype) for field in window.fields]
        index, acceleration = (torch.stack(parts, 1) for parts in zip(*filled))
    else:
        index = window.images.new_zeros(window.batch, 0, points, dtype=torch.long)
        acceleration = window.images.new_zeros(window.batch, 0, points, 2)
    return *_past(window), index, acceleration


def _past(window: Window) -> tuple[Tensor, Tensor, Tensor]:
    """Return whether there is a past, lambda about it [B, K, 4N], and q(a) [B, K, 4]."""
    if window.past is None:
        past = torch.zeros_like(window.packed[:, 0])
        cause = past.new_zeros(*past.shape[:-1], 4)
    else:
        past = window.past.belief.pack()
        cause = torch.cat([window.past.action.mean, window.past.action.log_sd], -1)
    return _flag(window.past is not None, past), past, cause


def _flag(value: bool, beside: Tensor) -> Tensor:
    """Return a boolean as a tensor on the device of another."""
    # Not torch.tensor(): to bring a number to a GPU, it waits until all work there is done.
    return torch.full((), value, dtype=torch.bool, device=beside.device)


def _points(*fields: ActionField) -> int:
    """Return for how many points there must be room in what says where fields act."""
    return max([POINTS, *(field.row.shape[1] for field in fields)])


def _filled(field: ActionField, points: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return index [B, P] and accelerations [B, P, 2] of P points; those added do nothing."""
    index, acceleration = field.flat_index(), field.acceleration.to(dtype)
    missing = points - index.shape[1]
    return F.pad(index, (0, missing)), F.pad(acceleration, (0, 0, 0, missing))
