# SPDX-License-Identifier: Apache-2.0
"""Where the time of a frame goes: a clock around functions that know nothing of it."""
from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator


class StageClock:
    """
    Seconds by stage, each less those of the stages called from within it.

    settle: called before the clock is read; on a GPU it waits for the work that was handed over,
    so that a stage is charged with its own. frames: what each finished frame took, by stage.

    Outside of `watching` nothing is changed, so the ordinary path is as fast as ever.
    """

    def __init__(self, settle: Callable[[], object] = lambda: None):
        self.frames: list[dict[str, float]] = []
        self._settle = settle
        self._running: list[str] = []
        self._seconds: dict[str, float] = defaultdict(float)
        self._since = 0.0

    @contextlib.contextmanager
    def watching(self, *stages: tuple[object, str, str]) -> Iterator[StageClock]:
        """Time owner.name as a stage, for each (owner, name, stage), inside the block."""
        with contextlib.ExitStack() as stack:
            for owner, name, stage in stages:
                timed = _Timed(getattr(owner, name), self, stage)
                stack.enter_context(_replaced(owner, name, timed))
            yield self

    def end_frame(self) -> None:
        """Keep what the stages took since the last frame."""
        self.frames.append(dict(self._seconds))
        self._seconds.clear()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Charge a stage with what happens inside the block."""
        self._charge()
        self._running.append(name)
        try:
            yield
        finally:
            self._charge()
            self._running.pop()

    def _charge(self) -> None:
        """Charge the innermost stage with the time since the last call."""
        self._settle()
        now = time.perf_counter()
        if self._running:
            self._seconds[self._running[-1]] += now - self._since
        self._since = now


class _Timed:
    """Stands in for something that is called, and has all else that it has."""

    def __init__(self, function: Callable, clock: StageClock, stage: str):
        self._function, self._clock, self._stage = function, clock, stage

    def __call__(self, *args, **named):
        with self._clock.stage(self._stage):
            return self._function(*args, **named)

    def __getattr__(self, name: str):
        return getattr(self._function, name)


@contextlib.contextmanager
def _replaced(owner, name: str, value) -> Iterator[None]:
    """Put an attribute in place of one of an object's own, or of its class's, for a while."""
    own, before = name in vars(owner), getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)
