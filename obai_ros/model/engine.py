# SPDX-License-Identifier: Apache-2.0
"""Who computes refinements: the reference, the same written out, or that compiled or recorded."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from obai_ros.model.descent import descend
from obai_ros.model.describing import Describing
from obai_ros.model.inference import refine_repeatedly
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.percept import Description, describe
from obai_ros.model.pixels import as_image
from obai_ros.model.refinement import Refinement, supports
from obai_ros.model.window import Window

ENGINES = ('auto', 'reference', 'direct', 'compiled', 'graphs')

Engine = Callable[[Obai, Window, int, Noise], tuple[Window, Tensor]]
"""What does the work of `inference.refine_repeatedly`, with its arguments and results."""

POINTS = 8
"""Points of an action field that need no special care; planners send one per slot."""

PERCEPT = 0
"""Instead of a number of frames: what describes percepts, not what refines windows."""


class Reference:
    """`inference.refine_repeatedly` itself."""

    name = 'reference'

    def __call__(self, model: Obai, window: Window, iterations: int, noise: Noise
                 ) -> tuple[Window, Tensor]:
        return refine_repeatedly(model, window, iterations, noise)

    def descend(self, model: Obai, window: Window, steps: int) -> tuple[Window, Tensor]:
        """See `descent.descend`."""
        return descend(model, window, steps)

    def describe(self, model: Obai, mean: Tensor, image: Tensor) -> Description:
        """See `percept.describe`."""
        return describe(model, mean, image)

    def close(self) -> None:
        """Leave nothing running; engines that are used no longer are to be closed."""


class Direct(Reference):
    """
    Refines with the gradients written out (`refinement.Refinement`), for one model.

    Gives what the reference gives, up to the rounding of the model's precision. The weights are
    those that the model has now; a model that learns on needs a new engine.
    """

    name = 'direct'

    def __init__(self, model: Obai):
        self.model = model
        self.refinement = Refinement(model)
        self.describing = Describing(self.refinement.decoding, model.config.sigma_o)
        # Faster code for some shapes, by (sequences, frames); it gives what written_out gives.
        self.prepared: dict[tuple[int, int], Callable[..., tuple[Tensor, ...]]] = {}

    @torch.no_grad()
    def __call__(self, model: Obai, window: Window, iterations: int, noise: Noise
                 ) -> tuple[Window, Tensor]:
        """See `inference.refine_repeatedly`. Raises ValueError for another model than its own."""
        self._check(model)
        once = self.for_shape(window.batch, window.frames)
        packed, hidden, cell = window.packed, window.hidden, window.cell
        images = in_rows(window.images)
        known = circumstances(model, window)
        for _ in range(iterations):
            epsilon = noise.normal(*packed.shape[:-1], model.config.latent_size,
                                   dtype=packed.dtype)
            packed, hidden, cell, action, mask, energy = once(
                images, packed, hidden, cell, epsilon, *known)
        return replace(window, packed=packed, hidden=hidden, cell=cell, action_packed=action,
                       mask=mask), energy

    def descend(self, model: Obai, window: Window, steps: int) -> tuple[Window, Tensor]:
        """See `descent.descend`. Raises ValueError for another model than its own."""
        self._check(model)
        images = in_rows(window.images)
        known = circumstances(model, window)
        silence = torch.zeros_like(window.packed[..., :model.config.latent_size])

        def slope(packed: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            return self.refinement.slope(images, packed, silence, *known)
        return descend(model, window, steps, slope)

    @torch.no_grad()
    def describe(self, model: Obai, mean: Tensor, image: Tensor) -> Description:
        """See `percept.describe`. Raises ValueError for another model than its own."""
        self._check(model)
        return Description(*self.for_shape(len(mean), PERCEPT)(mean, image))

    def _check(self, model: Obai) -> None:
        if model is not self.model:
            raise ValueError('this engine was made for another model: make one for this model')

    def for_shape(self, batch: int, frames: int) -> Callable[..., tuple[Tensor, ...]]:
        """Return what refines windows of a shape once, or describes their percepts."""
        written_out = self.written_out(frames)
        prepared = self.prepared.get((batch, frames))
        if prepared is None:
            return written_out

        def once(*tensors: Tensor) -> tuple[Tensor, ...]:
            crowded = frames != PERCEPT and tensors[-1].shape[-2] > POINTS
            return (written_out if crowded else prepared)(*tensors)
        return once

    def written_out(self, frames: int) -> Refinement | Describing:
        """Return the code that does it for all shapes."""
        return self.describing if frames == PERCEPT else self.refinement


def in_rows(images: Tensor) -> Tensor:
    """Turn images [..., C, M] into rows of pixels, [..., H, C, W]."""
    return as_image(images).transpose(-3, -2).contiguous()


def circumstances(model: Obai, window: Window) -> tuple[Tensor, ...]:
    """Return what no refinement changes, as `Refinement.forward` takes it, from `known` on."""
    batch = window.batch
    points = max([POINTS, *(field.row.shape[1] for field in window.fields)])
    index = window.images.new_zeros(batch, 0, points, dtype=torch.long)
    acceleration = window.images.new_zeros(batch, 0, points, 2)
    if window.fields:
        # Filled up with accelerations of zero: they do nothing, wherever they are.
        missing = [points - field.row.shape[1] for field in window.fields]
        index = torch.stack([
            F.pad(field.row * field.width + field.col, (0, count))
            for field, count in zip(window.fields, missing)], 1)
        acceleration = torch.stack([
            F.pad(field.acceleration.to(window.images.dtype), (0, 0, 0, count))
            for field, count in zip(window.fields, missing)], 1)
    if window.past is None:
        past = torch.zeros_like(window.packed[:, 0])
        cause = past.new_zeros(*past.shape[:-1], 4)
    else:
        past = window.past.belief.pack()
        cause = torch.cat([window.past.action.mean, window.past.action.log_sd], -1)
    # Not torch.tensor(): to bring a number to a GPU, it waits until all work there is done.
    known = torch.full((), window.past is not None, dtype=torch.bool, device=past.device)
    return known, past, cause, index, acceleration


def direct_engine(model: Obai) -> Engine:
    """Return the fastest engine for a model that needs no preparation."""
    return Direct(model) if supports(model) else Reference()


def shapes_of(batch: int, window: int) -> tuple[tuple[int, int], ...]:
    """Return the shapes that streams need: percepts, first frames, and full windows."""
    return tuple((batch, frames) for frames in sorted({PERCEPT, 1, window}))


SHAPES = shapes_of(1, 2)
"""Those of one stream whose window has the usual two frames."""


def make_engine(name: str, model: Obai, say: Callable[[str], None], warn: Callable[[str], None],
                shapes: Sequence[tuple[int, int]] = SHAPES) -> Reference:
    """
    Return the engine of that name for a model, or the best there is, and say why.

    name: one of ENGINES; auto: compiled if code for these shapes is in the user's cache, otherwise
    graphs on a GPU and direct elsewhere, as far as the model's networks allow. shapes: (sequences,
    frames) of the windows that it is to be fast for, see `shapes_of`. say, warn: take sentences
    about how compiling goes, and about what could not be had. Raises ValueError for an unknown
    name.
    """
    if name not in ENGINES:
        raise ValueError(f'engine is {name!r}: expected one of {", ".join(ENGINES)}')
    if name == 'reference' or not supports(model):
        if name not in ('auto', 'reference'):
            warn(f'there is no {name} engine for the networks of the preset '
                 f'{model.config.preset!r}: the reference engine takes over')
        return Reference()
    if name == 'direct':
        return Direct(model)
    from obai_ros.model.compiled import Compiled
    from obai_ros.model.graphs import Graphs
    if name == 'compiled':
        return Compiled(model, shapes, say, warn)
    if name == 'auto':
        # No warnings: nobody asked for compiled code, it is only taken where it lies ready.
        kept = Compiled(model, shapes, say, lambda sentence: None, fresh=False)
        if not kept.missing:
            return kept
    if name == 'graphs' or model.device.type == 'cuda':
        return Graphs(model, shapes, warn)
    return Direct(model)
