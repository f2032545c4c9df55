# SPDX-License-Identifier: Apache-2.0
"""Whether the same episodes, played twice, went the same way."""
from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.control.measures import quantile

# px. Lock-step is deterministic and every node does what the batch does; numbers differ only in
# the last bits, where messages round and where a batch is summed in another order.
TOLERANCE = 0.1


def deviation(one: Tensor, other: Tensor) -> Tensor:
    """
    Return [B] px: how far apart an object was at most, in each episode.

    one, other: positions [B, S + 1, O, 2] px.
    """
    return (one - other).norm(dim=-1).amax((1, 2))


def compare(one: Tensor, other: Tensor, goal: Tensor, targeted: Tensor) -> dict:
    """
    Return how two ways of playing the same episodes agree, ready for JSON.

    goal [B, O, 2] px and targeted [B, O] as in `Episodes`; final distances are of the objects that
    are targeted.
    """
    apart = deviation(one, other)

    def final(position: Tensor) -> float:
        return quantile((position[:, -1] - goal).norm(dim=-1)[targeted], 0.5)

    return {
        'episodes': len(one), 'steps': one.shape[1] - 1, 'tolerance_px': TOLERANCE,
        'deviation_px': apart.tolist(), 'agreeing': int((apart <= TOLERANCE).sum()),
        'final_distance_px': {'nodes': final(one), 'batch': final(other)},
        'agree': bool((apart <= TOLERANCE).all()),
        'first_deviation_step': [_first(a, b) for a, b in zip(one, other)],
    }


def _first(one: Tensor, other: Tensor) -> int | None:
    """Return the step at which two episodes [S + 1, O, 2] part, None if they do not."""
    parted = ((one - other).norm(dim=-1) > TOLERANCE).any(-1).nonzero()
    return int(parted[0]) if len(parted) else None


def positions(played: list) -> Tensor:
    """Return [B, S + 1, O, 2] px from the frames of episodes (each with a `position` [O, 2])."""
    return torch.stack([torch.stack([torch.as_tensor(frame.position) for frame in frames])
                        for frames in played])
