# SPDX-License-Identifier: Apache-2.0
"""The parts of perception that fast code can be prepared for, each for tensors of one shape."""
from __future__ import annotations

from typing import NamedTuple

POINTS = 8
"""Points of an action field that need no special care; planners send one per slot."""


class Part(NamedTuple):
    """
    What a part does, and to how much.

    does: 'expect', what a new frame is to show (`expecting.Expecting`); 'refine', a window once
    (`refining.Refining`); 'move', how fast things move in a window (`moving.Moving`);
    'describe', what slots look like (`describing.Describing`). batch: sequences. frames: of the
    window; 0 where there is none.
    """

    does: str
    batch: int
    frames: int = 0

    def __str__(self) -> str:
        frames = f', frames: {self.frames}' if self.frames else ''
        return f'{self.does} (sequences: {self.batch}{frames})'


def parts_of(batch: int, window: int) -> tuple[Part, ...]:
    """Return the parts that streams need again and again: for first frames and full windows."""
    return (Part('expect', batch), Part('describe', batch),
            *(Part('refine', batch, frames) for frames in sorted({1, window})),
            Part('move', batch, window))


PARTS = parts_of(1, 2)
"""Those of one stream whose window has the usual two frames."""
