# SPDX-License-Identifier: Apache-2.0
"""Where the time of a frame goes: a clock around functions that know nothing of it."""
from __future__ import annotations

import contextlib
import functools
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
                stack.enter_context(_replaced(owner, name, self._timed(owner, name, stage)))
            yield self

    def end_frame(self) -> None:
        """Keep what the stages took since the last frame."""
        self.frames.append(dict(self._seconds))
        self._seconds.clear()

    def _timed(self, owner, name: str, stage: str):
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*args, **named):
            self._charge()
            self._running.append(stage)
            try:
                return function(*args, **named)
            finally:
                self._charge()
                self._running.pop()
        return timed

    def _charge(self) -> None:
        """Charge the innermost stage with the time since the last call."""
        self._settle()
        now = time.perf_counter()
        if self._running:
            self._seconds[self._running[-1]] += now - self._since
        self._since = now


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
