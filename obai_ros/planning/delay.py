# SPDX-License-Identifier: Apache-2.0
"""
Delay: planning for when an action will act, if that is some frames after what it answers.

Beyond the paper, whose actions act on the frame that they answer.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.belief import ActionBelief, Belief
from obai_ros.model.contact import contacts, Contacts
from obai_ros.model.dynamics import moved_on
from obai_ros.model.object_action import expected_action


@dataclass(frozen=True)
class Action:
    """
    An action field that was sent, and what is known by now of whom it hits.

    field: P points on the grid of the images; received [B, K, 2] px/frame^2: what it does to each
    slot.
    """

    field: ActionField
    received: Tensor

    @staticmethod
    def idle(batch: int, slots: int, height: int, width: int) -> Action:
        """Return one that does nothing."""
        field = ActionField.empty(batch, height, width, points=slots)
        return Action(field, torch.zeros(batch, slots, 2))


@dataclass(frozen=True)
class Underway:
    """Actions that were sent and have not acted yet, one for each frame, the oldest first."""

    actions: tuple[Action, ...] = ()

    def sent(self, action: Action) -> Underway:
        """Return what is under way with one more, the answer to the newest frame."""
        return Underway((*self.actions, action))

    def passed(self, frames: int, delay: int, idle: Action
               ) -> tuple[tuple[Action, ...], Underway]:
        """
        Return the actions that act while frames pass, the oldest first, and what is left.

        frames: how many since the newest that was answered, 1 or more; those between answered
        with `idle`, which does nothing, and so did those before the first. delay: frames by which
        actions act later than on the frame that they answer; as many are left. Of those that do
        nothing and nobody waits for any more, not all are returned.
        """
        actions = self.actions + (idle,) * min(frames - 1, delay)
        actions = (idle,) * (delay - len(actions)) + actions
        due = len(actions) - delay
        return actions[:due], Underway(actions[due:])


@dataclass(frozen=True)
class Foresight:
    """
    What will be when the next action acts.

    belief: [B, K, N]; way: [B, K, 2] px that objects get until then; contacts: where they can be
    pushed then; underway: what is under way, with what it will do.
    """

    belief: Belief
    way: Tensor
    contacts: Contacts
    underway: Underway


def foresee(belief: Belief, labels: Tensor, background: Tensor, underway: Underway,
            dynamics: Tensor, state_noise: float) -> Foresight:
    """
    Return what will be after one frame for each action that is under way.

    belief: [B, K, N]; labels: [B, H, W] uint8: k + 1 where slot k is seen, as in `percept`;
    background: [B] int64. Each action does what eq. 7 says where it acts: a push that was meant
    for an object which will not be there moves whoever else is, and nothing moves the background.
    To count on what was meant instead puts the next push where the object would have been, too,
    which misses it in its turn.
    dynamics: D [N, 2]. state_noise: sigma_s of eq. 5-6.
    """
    now, actions = belief, []
    behind = torch.arange(belief.mean.shape[1], device=labels.device) == background[:, None]
    to_px = torch.linalg.pinv(dynamics).mT
    # How far objects get, as what an acceleration would have to be to change states as much.
    way = torch.zeros_like(now.mean[..., :2])
    for action in underway.actions:
        pixel = action.field.to(way.device).flat_index()[:, None]
        shown = moved(labels, way, background).flatten(2)
        received = expected_action(
            shown.gather(2, pixel.expand(-1, shown.shape[1], -1)),
            action.field.acceleration.to(way.device)).masked_fill(behind[..., None], 0.0)
        actions.append(Action(action.field, received))
        certain = ActionBelief(received, torch.full_like(received, -torch.inf))
        belief = moved_on(belief, certain, dynamics, state_noise)
        way = (belief.mean - now.mean) @ to_px
    return Foresight(belief, way, contacts(moved(labels, way, background), background),
                     Underway(tuple(actions)))


def moved(labels: Tensor, way: Tensor, background: Tensor) -> Tensor:
    """
    Return the masks [B, K, H, W] of slots that have moved with what is seen of them.

    labels, background: as in `foresee`; way: [B, K, 2] px. The masks sum to at most 1. Where
    objects meet, it is not known who is in front, and they share pixels.
    """
    slot = torch.arange(way.shape[1], device=labels.device)
    seen = (labels[:, None] == slot[:, None, None] + 1).to(way.dtype)
    column, row = way.round().long().unbind(-1)
    seen = _shifted(_shifted(seen, row).mT, column).mT
    seen = seen / seen.sum(1, keepdim=True).clamp(min=1.0)
    behind = (slot == background[:, None])[..., None, None]
    return seen + behind * (1.0 - seen.sum(1, keepdim=True))


def _shifted(masks: Tensor, lines: Tensor) -> Tensor:
    """Return masks [B, K, H, W] so many lines [B, K] further down; nothing comes in from above."""
    size = masks.shape[2]
    source = torch.arange(size, device=masks.device) - lines[..., None]             # [B, K, H]
    inside = (source >= 0) & (source < size)
    source = source.clamp(0, size - 1)[..., None].expand_as(masks)
    return masks.gather(2, source) * inside[..., None]
