# SPDX-License-Identifier: Apache-2.0
"""What is seen in pictures of goals."""
from __future__ import annotations

from torch import Tensor

from obai_ros.model.filter import Filter
from obai_ros.planning.goal import Sight

# A picture is looked at for so many frames of a video in which nothing moves.
LOOKS = 4


def look(filter: Filter, images: Tensor, seed: int = 0) -> list[Sight]:
    """Return what is seen in each of the pictures, images [B, 3, H, W] in [0, 1]."""
    state = filter.start(len(images), [seed] * len(images))
    for _ in range(LOOKS):
        state, percept = filter.step(state, images)
    return Sight.of(percept)
