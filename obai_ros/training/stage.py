# SPDX-License-Identifier: Apache-2.0
"""One leg of a training run: what is learned from, how long inference looks, how fast it goes."""
from __future__ import annotations

from dataclasses import dataclass

from obai_ros.model.schedule import Schedule
from obai_ros.settings import require_kinds

SHORTEST = 4
"""Frames after which a stream may end."""


@dataclass(frozen=True)
class Stage:
    """One leg of a run: size and length of the clips, effort of inference, learning rate."""

    name: str
    """What the stage is called, for `--stage` and in what is said of it."""
    steps: int
    """Optimiser steps."""
    image_size: int = 64
    """Height and width of the images, px: glimpses learn at one size for another (coarse to
    fine)."""
    frames: int = 4
    """T, length of the clips."""
    action_frame: int = 1
    """The frame, from 0, on which the random action field acts (the paper: the 2nd of 4)."""
    background_points: int = 1
    """Background pixels with an acceleration in that field."""
    streams: int = 0
    """Batches of streams that are kept and gone on with in turn, `frames` more frames at each
    step (training/streams.py), with velocities in closed form; 0: clips, which begin anew at each
    step, and whose velocities networks infer, as in the paper."""
    longest: int = 14
    """Frames after which a stream ends at the latest."""
    batch: int = 64
    """Sequences per step, over all processes."""
    iterations: int = 4
    """Refinements per frame."""
    first_iterations: int | None = None
    """Refinements of the first frame; null: as many as of the others."""
    seeds: bool = False
    """Whether slots begin near patches that ask for an explanation (`model/seed.py`) instead of
    with the learned initial belief. Networks of glimpses know what the first three latents say
    then; others learn it, or were taught (`teaching`)."""
    births: int = 0
    """How often, before a stream is gone on with, an object that no slot explains may be given one
    (`model/birth.py`): what a stream learns from is what a robot will meet."""
    window: int = 4
    """Frames that are refined together."""
    learning_rate: float = 3e-4
    """Where the learning rate begins, after the warm-up."""
    final_learning_rate: float = 3e-5
    """Where the learning rate ends."""
    plateau: int | None = None
    """Divide the learning rate by 3 whenever the loss of the validation videos has not fallen for
    so many steps (the paper: 10 epochs of 782 steps); null: a cosine."""
    warmup: int = 100
    """Steps over which the learning rate rises from zero."""
    temperature: float | None = None
    """Gumbel-softmax temperature of the assignments under an action field at the start of the
    stage (Appendix D); null: the expected assignment."""
    final_temperature: float | None = None
    """The same at the end of the stage."""

    def __post_init__(self):
        require_kinds(self, f'stage {self.name!r}: ')
        at_least_one = ('steps', 'frames', 'batch', 'iterations', 'window', 'warmup')
        for name in at_least_one:
            if not getattr(self, name) >= 1:
                raise ValueError(f'stage {self.name!r}: {name} is {getattr(self, name)}, '
                                 f'expected at least 1')
        if not self.streams >= 0:
            raise ValueError(f'stage {self.name!r}: streams is {self.streams}, expected 0 for '
                             f'clips, or how many batches of streams are kept')
        if self.streams and not self.longest >= SHORTEST:
            raise ValueError(f'stage {self.name!r}: longest is {self.longest}, expected streams '
                             f'of at least {SHORTEST} frames')
        # One frame alone has no next one that could show what an action does.
        if self.action_frame < 0 or self.action_frame >= self.frames > 1:
            raise ValueError(f'stage {self.name!r}: action_frame is {self.action_frame}, '
                             f'expected one of the {self.frames} frames, counted from 0')
        if not self.background_points >= 0:
            raise ValueError(f'stage {self.name!r}: background_points is '
                             f'{self.background_points}, expected 0 or more')
        if not 0 < self.final_learning_rate <= self.learning_rate:
            raise ValueError(
                f'stage {self.name!r}: the learning rate goes from {self.learning_rate} to '
                f'{self.final_learning_rate}, expected positive numbers that do not grow')
        if not self.births >= 0:
            raise ValueError(f'stage {self.name!r}: births is {self.births}, expected 0 or more')
        if self.plateau is not None and self.plateau < 1:
            raise ValueError(f'stage {self.name!r}: plateau is {self.plateau}, expected at least '
                             f'1 step, or null')
        if (self.temperature is None) != (self.final_temperature is None):
            raise ValueError(f'stage {self.name!r}: give both temperatures or none')
        if self.temperature is not None and not (self.temperature > 0
                                                 and self.final_temperature > 0):
            raise ValueError(f'stage {self.name!r}: the temperature goes from {self.temperature} '
                             f'to {self.final_temperature}, expected positive numbers')

    @property
    def schedule(self) -> Schedule:
        """How inference looks at videos while a model learns in this stage."""
        return Schedule(self.iterations, self.first_iterations, self.window, births=self.births,
                        seeds=self.seeds, confined=self.streams > 0,
                        exact_velocities=self.streams > 0)

    def share(self, processes: int) -> int:
        """Return the sequences per step of each process. Raises ValueError if some are left."""
        if self.batch % processes:
            raise ValueError(f'stage {self.name!r}: a batch of {self.batch} sequences cannot be '
                             f'shared evenly by {processes} processes')
        return self.batch // processes
