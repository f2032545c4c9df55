# SPDX-License-Identifier: Apache-2.0
"""Two commands in turn, A B A B ..., so that whatever disturbs the machine disturbs both."""
from __future__ import annotations

import re
import resource
import shlex
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBER = rb' +(\d+(?:\.\d+)?(?:e[+-]?\d+)?)'
SAID = re.compile(rb'^ms per frame' + _NUMBER + rb'(?:.* of all cores' + _NUMBER + rb')?', re.M)
"""The line by which a command says what it has measured itself."""
LINES = 10


@dataclass(frozen=True)
class Run:
    """
    One run of a command, ms.

    cores: processor time, on which other programs have little influence; None: not known. said:
    whether both are what the command said, not how long it ran.
    """

    ms: float
    cores: float | None
    said: bool


@dataclass(frozen=True)
class Comparison:
    """Runs of A and of B, pair by pair, all of one kind."""

    first: tuple[Run, ...]
    second: tuple[Run, ...]

    def summary(self) -> dict:
        """Return medians, and how many times as long B takes: median and range of the pairs."""
        ratios = [b.ms / a.ms for a, b in zip(self.first, self.second)]
        cores = [b.cores / a.cores for a, b in zip(self.first, self.second)
                 if a.cores and b.cores is not None]
        a, b = ([run.ms for run in runs] for runs in (self.first, self.second))
        said = self.first[0].said
        return {'a_ms': statistics.median(a), 'b_ms': statistics.median(b),
                'ratio': statistics.median(ratios), 'ratio_low': min(ratios),
                'ratio_high': max(ratios), 'pairs': len(ratios),
                'ratio_of_all_cores': statistics.median(cores) if cores else None,
                'measured': 'said by the commands' if said else 'run time of the commands',
                'a_runs_ms': a, 'b_runs_ms': b}


def compare(first: Sequence[str], second: Sequence[str], pairs: int, progress=lambda pair: None
            ) -> Comparison:
    """
    Run two commands in turn and time them.

    A command that writes a line `ms per frame VALUE` (the last one counts), perhaps with `of all
    cores VALUE` in it, is taken at its word; one that does not is timed from start to end. Both
    have to be of one kind. progress(pair): called after each pair.
    Raises ValueError when there is nothing to run, and RuntimeError, in a sentence with its last
    lines, when a command fails or the two cannot be compared.
    """
    if pairs < 1:
        raise ValueError(f'{pairs} pairs of runs were asked for: expected at least 1')
    runs: list[tuple[Run, Run]] = []
    for pair in range(pairs):
        runs.append((_measure('A', first), _measure('B', second)))
        kinds = {run.said for both in runs for run in both}
        if len(kinds) > 1:
            says, silent = ('A', 'B') if runs[-1][0].said else ('B', 'A')
            raise RuntimeError(
                f'{says} says what it measured (`ms per frame`) and {silent} does not, so that '
                f'the two cannot be compared: let {silent} write such a line, or choose a {says} '
                'that writes none')
        progress(pair)
    return Comparison(*zip(*runs))


def split(command: str) -> list[str]:
    """Split a command as a shell does. Raises ValueError, in a sentence."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f'{command!r} cannot be read as a command: {error}') from error
    if not words:
        raise ValueError('the command to compare with is empty: give what a shell would run')
    return words


def _measure(name: str, command: Sequence[str]) -> Run:
    began, used = time.perf_counter(), _used()
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    except OSError as error:
        raise RuntimeError(f'{name}, `{shlex.join(command)}`, cannot be started: '
                           f'{error.strerror}') from error
    taken = Run(1e3 * (time.perf_counter() - began), 1e3 * (_used() - used), False)
    if run.returncode:
        lines = run.stdout.decode(errors='replace').rstrip().splitlines()[-LINES:]
        tail = ' Its last lines:\n' + '\n'.join(f'  {line}' for line in lines) if lines else \
            ' It has written nothing.'
        raise RuntimeError(f'{name}, `{shlex.join(command)}`, ended with exit code '
                           f'{run.returncode}.{tail}')
    said = SAID.findall(run.stdout)
    if not said:
        return taken
    ms, cores = said[-1]
    if not float(ms):
        raise RuntimeError(f'{name}, `{shlex.join(command)}`, says that a frame takes 0 ms: '
                           'expected more')
    return Run(float(ms), float(cores) if cores else None, True)


def _used() -> float:
    """Return the seconds that processes which we started, and that have ended, have computed."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime
