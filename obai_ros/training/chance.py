# SPDX-License-Identifier: Apache-2.0
"""Where the random numbers of a run come from: its seed, and where it stands."""
from __future__ import annotations

import torch


def generator_of(device, *numbers: int) -> torch.Generator:
    """
    Return a generator on a device that depends on all of the numbers, and on nothing else.

    What is drawn at a step of a run is a function of the run's seed and the step, so that a run
    that was interrupted goes on as if it had not been.
    """
    generator = torch.Generator(device)
    generator.manual_seed(mixed(*numbers))
    return generator


def mixed(*numbers: int) -> int:
    """Return a 63-bit seed in which every number matters (splitmix64 steps)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) % 2 ** 64
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2 ** 64
        state = (state ^ state >> 27) * 0x94D049BB133111EB % 2 ** 64
        state ^= state >> 31
    return state >> 1
