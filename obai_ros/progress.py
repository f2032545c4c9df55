# SPDX-License-Identifier: Apache-2.0
"""How far something long is: a live bar in a terminal, a line now and then elsewhere."""
from __future__ import annotations

import datetime
import sys
import time

EVERY = 30.0
"""Seconds between lines."""


class Lines:
    """
    Says on standard error how far something is, every so often.

    what: it is, for instance 'obai evaluate'. total: of what is counted, in units such as
    'sequences'. begun: how many were done before now. clock: seconds, of any beginning.
    """

    def __init__(self, what: str, total: int, unit: str, begun: int = 0,
                 clock=time.monotonic):
        self._what, self._total, self._unit, self._begun = what, total, unit, begun
        self._clock, self._started = clock, clock()
        self._said = self._started

    def __call__(self, done: int, note: str = '') -> None:
        """Say that so many are done, if it is time to; note: what else there is to say."""
        now = self._clock()
        if now - self._said < EVERY:
            return
        self._said = now
        rate = (done - self._begun) / (now - self._started)
        left = datetime.timedelta(seconds=round((self._total - done) / rate)) if rate else '?'
        print(f'{self._what}: {done} of {self._total} {self._unit}{note}, {rate:.3g} '
              f'{self._unit}/s, {left} left', file=sys.stderr, flush=True)


class Progress:
    """The same, and in a terminal a bar that disappears at the end: to be entered, then called."""

    def __init__(self, what: str, total: int, unit: str):
        self._bar = None
        self._lines = Lines(what, total, unit)
        if sys.stderr.isatty():
            from rich import progress  # here and not above: it takes a tenth of a second
            from rich.console import Console

            self._bar = progress.Progress(
                progress.TextColumn(what), progress.BarColumn(), progress.MofNCompleteColumn(),
                progress.TextColumn(unit + '{task.fields[note]}'), progress.TimeRemainingColumn(),
                console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task('', total=total, note='')

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, done: int, note: str = '') -> None:
        if self._bar:
            self._bar.update(self._task, completed=done, note=note)
        else:
            self._lines(done, note)
