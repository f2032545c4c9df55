# SPDX-License-Identifier: Apache-2.0
"""The schedule of inference: how long it looks, at how many frames together, and how carefully."""
from __future__ import annotations

from dataclasses import dataclass, replace

from obai_ros.settings import require_kinds

EARLY = 3
"""A second look is due at each of so many frames after the first, too: objects that are missed
at first are gone soon."""


@dataclass(frozen=True)
class Schedule:
    """How long inference looks at a video."""

    iterations: int = 4
    """Refinements per frame (4 in the paper)."""
    first_iterations: int | None = None
    """Refinements of the first frame, where slots have to find their objects; None: as many."""
    window: int = 4
    """Frames that are refined together. The paper's window grows to the whole clip, 4."""
    starts: int = 1
    """How often the first frame is begun anew, with other noise, before the beliefs with the
    least free energy are kept; second looks as often, up to a limit. Not used in training."""
    sampled: bool = True
    """Evaluate the free energy at a sample of each belief, as learning always does; otherwise at
    its mean, which finds more and draws better, but does not tell slots apart that all begin with
    one belief."""
    births: int = 0
    """How often, after the first frame and at second looks, an object that no slot explains may be
    given one (`birth.give_birth`). Not used in training."""
    second_look: int = 0
    """Every so many frames of a stream, at the first few, and when the free energy jumps, look at
    a frame as if it were the first, if something of it is left unexplained, and keep what explains
    it better (`second_look.look_again`); 0: never. Not used on clips."""

    seeds: bool = False
    """Begin first frames with slots near what asks for an explanation (`seed.seeded_window`)
    instead of with the learned initial belief; for models whose first latents say where a slot is,
    as those of glimpses do. Also in training."""

    confined: bool = False
    """From one frame of a stream to the next, forget velocities outside of the span of D: what no
    acceleration can bring about does not move by itself either. In the paper's clips it has no
    time to; over long streams latents would wander. On clips, of predicted frames only."""

    exact_velocities: bool = False
    """After the refinements of each frame, take the velocities that have the least free energy
    (`velocity.best_velocities`) in place of those that networks infer. Also in training."""

    settled: float = 0.0
    """Nats per pixel: leave off refining a frame of a stream, but the first, as soon as a
    refinement has lowered its free energy by less, each stream by itself; 0: never. Not used on
    clips."""

    descent: int = 0
    """Gradient steps that follow the refinements of each frame of a stream, or those of the last
    frame of a clip, all of which is then gone over (`descent.descend`). Not used in training."""

    def __post_init__(self):
        require_kinds(self)
        for name in ('iterations', 'window', 'starts'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} is {getattr(self, name)}: expected at least 1')
        for name in ('births', 'second_look', 'settled', 'descent'):
            if getattr(self, name) < 0:
                raise ValueError(f'{name} is {getattr(self, name)}: expected 0 or more')
        if self.first_iterations is not None and self.first_iterations < 1:
            raise ValueError(f'first_iterations is {self.first_iterations}: expected at least 1')

    def changed(self, **settings) -> Schedule:
        """
        Return a schedule with other settings, by name; None keeps what this one has.

        The first frame is refined as often as the others, at least.
        """
        schedule = replace(self, **{name: value for name, value in settings.items()
                                    if value is not None})
        first = schedule.first_iterations
        return replace(schedule, first_iterations=first and max(first, schedule.iterations))

    def careful(self) -> Schedule:
        """Return the schedule with what pays where a model watches streams, once it is trained."""
        # Slots that begin at seeds differ from the start, others by their samples.
        return self.changed(starts=1 if self.seeds else 3, births=3, second_look=4,
                            confined=True, sampled=self.sampled and not self.seeds)

    def looks_again_at(self, frame: int) -> bool:
        """Return whether a frame of a stream, counted from 0, gets a second look."""
        return self.second_look > 0 and frame > 0 and (
            frame <= EARLY or frame % self.second_look == 0)

    def at(self, frame: int) -> int:
        """Return the number of refinements that follow the arrival of a frame."""
        if frame == 0 and self.first_iterations is not None:
            return self.first_iterations
        return self.iterations

    def total(self, frames: int) -> int:
        """Return N_iter of eq. 16 for a clip."""
        return sum(self.at(frame) for frame in range(frames))
