# SPDX-License-Identifier: Apache-2.0
"""The mean of weights: of successive runs it is often better than what either ended with."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from obai_ros.model.checkpoint import Checkpoint
from obai_ros.model.config import ASSUMED
from obai_ros.model.obai import Obai

class AveragingError(ValueError):
    """Weights of which there is no mean."""


@torch.no_grad()
def average(checkpoints: Sequence[Checkpoint], shares: Sequence[float] | None = None
            ) -> tuple[Obai, dict]:
    """
    Return a model of averaged weights, and its record: that of the last, and of what it is made.

    shares: of each of them, 0 or more (None: all alike); only their ratios matter. Means are good
    of weights that descend from each other, or from the same: see Izmailov et al. 2018, "Averaging
    weights leads to wider optima and better generalization". What models assume (ASSUMED)
    may differ; that of the first counts. Raises AveragingError where weights do not
    belong together.
    """
    if shares is None:
        shares = [1.0] * len(checkpoints)
    if len(shares) != len(checkpoints):
        raise AveragingError(f'there are {len(shares)} shares for {len(checkpoints)} weights; '
                             'give as many')
    if not (sum(shares) > 0 and min(shares) >= 0 and math.isfinite(sum(shares))):
        raise AveragingError(f'shares are {", ".join(f"{share:g}" for share in shares)}, expected '
                             'numbers of 0 or more, not all 0')
    first = checkpoints[0]
    for other in checkpoints[1:]:
        same = {name: getattr(first.config, name) for name in ASSUMED}
        if replace(other.config, **same) != first.config:
            raise AveragingError(
                f'models {first.model_id} and {other.model_id} are configured differently, so '
                'that their weights have no mean; give those of one recipe')
    parts = [share / sum(shares) for share in shares]
    states = [checkpoint.model.state_dict() for checkpoint in checkpoints]
    mean = Obai(first.config)
    mean.load_state_dict({
        name: sum(part * state[name].double() for part, state in zip(parts, states))
        .to(states[0][name].dtype) for name in states[0]})
    made_of: dict[str, float] = {}
    for checkpoint, part in zip(checkpoints, parts):
        before = made_of.get(checkpoint.model_id, 0.0)  # weights may be given twice
        made_of[checkpoint.model_id] = round(before + part, 6)
    return mean, {**checkpoints[-1].record, 'average': made_of}
