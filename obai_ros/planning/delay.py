# SPDX-License-Identifier: Apache-2.0
"""Delay: planning for when an action will act, if that is some frames after what it answers."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from obai_ros.model.belief import ActionBelief, Belief
from obai_ros.model.contact import Contacts
from obai_ros.model.dynamics import moved_on


Action = TypeVar('Action')


@dataclass(frozen=True)
class Underway(Generic[Action]):
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
        actions act later than on the frame that they answer; as many are left.
        """
        actions = self.actions + (idle,) * (frames - 1)
        actions = (idle,) * (delay - len(actions)) + actions
        due = len(actions) - delay
        return actions[:due], Underway(actions[due:])


def rolled(belief: Belief, committed: Sequence[Tensor], dynamics: Tensor, state_noise: float
           ) -> Belief:
    """
    Return beliefs [..., K, N] one frame later for each of the actions that are under way.

    committed: accelerations [..., K, 2] px/frame^2 that were sent and have not acted yet, the
    oldest first. Without it every law diverges that corrects an error twice, once for each frame
    in which it still sees it. dynamics: D [N, 2]. state_noise: sigma_s of eq. 5-6.
    """
    for acceleration in committed:
        certain = ActionBelief(acceleration, torch.full_like(acceleration, -torch.inf))
        belief = moved_on(belief, certain, dynamics, state_noise)
    return belief


def carried(contacts: Contacts, now: Belief, later: Belief, dynamics: Tensor, height: int,
            width: int) -> Contacts:
    """
    Return the pixels to push at where their objects will be.

    now, later: beliefs [B, K, N] between which they move. The way, in px, is what D says that an
    acceleration would have to be to change the state as much. Pixels stay within the image,
    height and width px.
    """
    way = (later.mean - now.mean) @ torch.linalg.pinv(dynamics).mT            # [B, K, 2] px
    col, row = way.round().long().unbind(-1)
    return replace(contacts, row=(contacts.row + row).clamp(0, height - 1),
                   col=(contacts.col + col).clamp(0, width - 1))
