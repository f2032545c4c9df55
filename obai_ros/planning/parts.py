# SPDX-License-Identifier: Apache-2.0
"""Parts: slots that share one object between them."""
from __future__ import annotations

from collections.abc import Iterable

import numpy as np

# chi^2 of colours, three numbers, that 95 % of two views of one object stay below.
ALIKE = 7.8


def gather_parts(place: np.ndarray, mass: np.ndarray, colour: np.ndarray, known: Iterable[int],
                 others: Iterable[int]) -> list[list[int]]:
    """
    Return the slots of each object, a known one first.

    place [K, 2] px and mass [K] px of the slots' masks; colour [K, A], in units of its error;
    known: slots that each show an object which was seen before, alone; others: slots that show
    something else. What looks like an object and touches it is a part of it: inference has
    given an object two slots. Discs stand for masks.
    """
    radius = np.sqrt(mass / np.pi)
    groups = [[int(slot)] for slot in known]
    for slot in sorted(others, key=lambda slot: -mass[slot]):
        for group in groups:
            first = group[0]
            gap = np.linalg.norm(place[slot] - place[first])
            if (np.square(colour[slot] - colour[first]).sum() < ALIKE
                    and gap < radius[slot] + radius[first]):
                group.append(int(slot))
                break
        else:
            groups.append([int(slot)])
    return groups
