# SPDX-License-Identifier: Apache-2.0
"""The frames under consideration, and everything inference remembers about them."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.belief import ActionBelief, Belief, bounded
from obai_ros.model.obai import Obai
from obai_ros.model.object_action import expected_action
from obai_ros.model.pixels import in_a_row


@dataclass(frozen=True)
class Past:
    """The frame before the window, no longer refined: beliefs [B, K, ...] about it."""

    belief: Belief
    action: ActionBelief

    def detach(self) -> Past:
        """Return it cut off from the graph that made it."""
        return Past(self.belief.detach(), self.action.detach())


@dataclass(frozen=True)
class Window:
    """
    F consecutive frames with their beliefs; B sequences, K slots. F is 0 while coasting.

    images: [B, F, 3, M]. fields: F - 1 action fields; fields[f] acts between f and f+1.
    packed: [B, F, K, 4N], lambda of q(s, s').
    action_packed: [B, F - 1, K, 4], mean and log-sd of q(a) of each field.
    hidden, cell: [B, F, K, hidden], the state refiner's LSTM; zero for a new frame.
    action_hidden, action_cell: [B, F - 1, K, hidden_a], the action refiner's.
    mask: [B, K, M], mhat of the newest frame as last decoded; None before the first evaluation.
    past: the frame that left the window last; None while frame 0 is inside.
    """

    images: Tensor
    fields: tuple[ActionField, ...]
    packed: Tensor
    action_packed: Tensor
    hidden: Tensor
    cell: Tensor
    action_hidden: Tensor
    action_cell: Tensor
    mask: Tensor | None = None
    past: Past | None = None

    @property
    def batch(self) -> int:
        return self.images.shape[0]

    @property
    def frames(self) -> int:
        return self.images.shape[1]

    @property
    def belief(self) -> Belief:
        """q(s, s') of all frames: fields [B, F, K, N]."""
        return Belief.unpack(self.packed)

    @property
    def action_belief(self) -> ActionBelief:
        """q(a) of all fields: [B, F - 1, K, 2]."""
        return ActionBelief(*self.action_packed.chunk(2, -1))

    def detach(self) -> Window:
        """Return the window cut off from the graph that made it."""
        return replace(self, past=self.past and self.past.detach(),
                       **{name: getattr(self, name).detach() for name in STATE})

    def __getitem__(self, index: Tensor) -> Window:
        """Return the window of some of the sequences, index [P] int64."""
        return replace(
            self, past=self.past and Past(self.past.belief[index], self.past.action[index]),
            fields=tuple(field[index] for field in self.fields),
            mask=None if self.mask is None else self.mask[index], images=self.images[index],
            **{name: getattr(self, name)[index] for name in STATE})


STATE = 'packed', 'action_packed', 'hidden', 'cell', 'action_hidden', 'action_cell'
"""What refinement changes, beside the mask."""


def open_window(model: Obai, image: Tensor) -> Window:
    """Begin with one frame [B, 3, H, W] and the learned initial belief."""
    return whole_clip(model, image[:, None], (), model.initial_belief(len(image)).pack()[:, None])


def whole_clip(model: Obai, images: Tensor, fields: Sequence[ActionField], packed: Tensor
               ) -> Window:
    """
    Return the window on all frames of a clip, with beliefs that are there already.

    images: [B, T, 3, H, W]. fields: T - 1 action fields. packed: [B, T, K, 4N].
    """
    config, (batch, frames, slots) = model.config, packed.shape[:3]

    def zeros(count: int, size: int) -> Tensor:
        return packed.new_zeros(batch, count, slots, size)

    return Window(
        images=in_a_row(images.to(model.dtype)), fields=tuple(fields),
        packed=packed, action_packed=zeros(frames - 1, 4),
        hidden=zeros(frames, config.hidden_size), cell=zeros(frames, config.hidden_size),
        action_hidden=zeros(frames - 1, config.action_hidden_size),
        action_cell=zeros(frames - 1, config.action_hidden_size))


def expected(model: Obai, window: Window, field: ActionField, confined: bool
             ) -> tuple[Tensor, ActionBelief]:
    """Return lambda of the frame after the newest [B, K, 4N], and q(a) of the field before it."""
    action = receive(model, newest_mask(window), field)
    predicted = model.dynamics.extrapolate(newest_belief(window), action, confined)
    return bounded(predicted.pack()), action


Expectation = Callable[[Obai, Window, ActionField, bool], tuple[Tensor, ActionBelief]]
"""What does the work of `expected`."""


def extend(model: Obai, window: Window, image: Tensor, field: ActionField, size: int,
           confined: bool = False, expect: Expectation = expected) -> Window:
    """
    Let a new frame in; the oldest leaves when there are more than `size`.

    image: [B, 3, H, W]. field: the action field that acted on the newest frame of the window.
    The new frame's belief is what the dynamics predict, which is what keeps an object in its
    slot (Appendix B); what the field did to each slot is read off the slots' masks.
    """
    predicted, action = expect(model, window, field, confined)
    if window.frames == 0:
        window = replace(window, past=replace(window.past, action=action))
    elif window.frames >= size:
        window = _forget_oldest(window, window.frames - size + 1, action)
    # With nothing left inside, the field leads from the past into the window.
    connected = window.frames > 0

    def grow(old: Tensor) -> Tensor:
        return torch.cat([old, old.new_zeros(window.batch, 1, *old.shape[2:])], 1)

    packed_action = torch.cat([action.mean, action.log_sd], -1)[:, None]
    new_image = in_a_row(image.to(model.dtype))[:, None]
    return replace(
        window,
        images=torch.cat([window.images, new_image], 1),
        fields=(*window.fields, field) if connected else (),
        packed=torch.cat([window.packed, predicted[:, None]], 1),
        action_packed=(torch.cat([window.action_packed, packed_action], 1) if connected
                       else window.action_packed),
        hidden=grow(window.hidden), cell=grow(window.cell),
        action_hidden=grow(window.action_hidden) if connected else window.action_hidden,
        action_cell=grow(window.action_cell) if connected else window.action_cell,
        mask=None)


def coast(model: Obai, window: Window, field: ActionField, confined: bool = False) -> Window:
    """
    Return an empty window whose past is the belief about a frame that nobody saw.

    field: the action field that acted on the newest frame. The unseen frame's belief is what
    the dynamics predict, and its masks are decoded, so that a field on it can be attributed.
    """
    packed, action = expected(model, window, field, confined)
    predicted = Belief.unpack(packed)
    if window.frames > 0:
        window = _forget_oldest(window, window.frames, action)
    mask = torch.softmax(model.decode(predicted.mean)[:, :, 3], 1)
    return replace(window, past=Past(predicted, action), mask=mask)


def newest_belief(window: Window) -> Belief:
    """Return what is believed about the newest frame, seen or not: fields [B, K, N]."""
    return window.belief[:, -1] if window.frames else window.past.belief


def newest_mask(window: Window) -> Tensor:
    """Return mhat [B, K, M] of the newest frame. Raises ValueError before it is known."""
    if window.mask is None:
        raise ValueError('the window has not been evaluated since its newest frame came in: '
                         'refine it at least once before the next frame')
    return window.mask


def select(first: Tensor, one: Window, other: Window) -> Window:
    """
    Return a window with the sequences of `one` where `first` [B] is true, else of `other`.

    Both are windows on the same frames with the same fields.
    """
    def pick(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(first.view(-1, *[1] * (a.ndim - 1)), a, b)
    return _combined(one, other, pick)


def put(window: Window, index: Tensor, part: Window) -> Window:
    """Return a window whose sequences `index` [P] int64 are those of `part`, as `select` does."""
    return _combined(window, part, lambda whole, new: whole.index_copy(0, index, new))


def _combined(one: Window, other: Window, join: Callable[[Tensor, Tensor], Tensor]) -> Window:
    """Return `one` with each tensor that refinement changes joined with that of `other`."""
    past = one.past
    if past is not None:
        past = Past(
            Belief.unpack(join(past.belief.pack(), other.past.belief.pack())),
            ActionBelief(join(past.action.mean, other.past.action.mean),
                         join(past.action.log_sd, other.past.action.log_sd)))
    return replace(one, past=past, **{
        name: join(getattr(one, name), getattr(other, name)) for name in (*STATE, 'mask')})


def receive(model: Obai, mask: Tensor, field: ActionField) -> ActionBelief:
    """
    Return what each slot expects to receive from a field, before any consequence is seen.

    mask: [B, K, M]. The belief's sd is sigma_psi (eq. 7).
    """
    at_points = mask_at_points(mask, field)
    mean = expected_action(at_points, field.acceleration.to(mask.dtype))
    log_sd = torch.full_like(mean, math.log(model.config.sigma_psi))
    return ActionBelief(mean, log_sd)


def mask_at_points(pixels: Tensor, field: ActionField) -> Tensor:
    """Return [B, K, P]: values of [B, K, M] at the points of a field."""
    return pixels.gather(-1, point_index(field, pixels.shape[1]))


def point_index(field: ActionField, slots: int) -> Tensor:
    """Return [B, K, P] int64: where the field's points are among M pixels, for each slot."""
    return field.flat_index()[:, None].expand(-1, slots, -1)


def _forget_oldest(window: Window, count: int, newest_action: ActionBelief) -> Window:
    """Drop the oldest frames. newest_action: q(a) of the field after the newest frame."""
    last = count - 1
    action = window.action_belief[:, last] if last < window.frames - 1 else newest_action
    keep = {name: getattr(window, name)[:, count:]
            for name in ('images', 'packed', 'hidden', 'cell', 'action_packed', 'action_hidden',
                         'action_cell')}
    return replace(window, fields=window.fields[count:],
                   past=Past(window.belief[:, last], action), **keep)
