# SPDX-License-Identifier: Apache-2.0
"""Two commands in turn, A B A B ..., so that whatever disturbs the machine disturbs both."""
from __future__ import annotations

import re
import shlex
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

SAID = re.compile(rb'^ms per frame +(\d+(?:\.\d+)?(?:e[+-]?\d+)?)', re.M)
"""The line by which a command says what it has measured itself."""
LINES = 10


@dataclass(frozen=True)
class Comparison:
    """
    Milliseconds of A and B, run by run.

    said: whether they are what the commands said, not how long these ran.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    said: bool

    def summary(self) -> dict:
        """Return medians, and how many times as long B takes: median and range of the pairs."""
        ratios = [b / a for a, b in zip(self.first, self.second)]
        return {'a_ms': statistics.median(self.first), 'b_ms': statistics.median(self.second),
                'ratio': statistics.median(ratios), 'ratio_low': min(ratios),
                'ratio_high': max(ratios), 'pairs': len(ratios),
                'measured': 'said by the commands' if self.said else 'run time of the commands',
                'a_runs_ms': list(self.first), 'b_runs_ms': list(self.second)}


def compare(first: Sequence[str], second: Sequence[str], pairs: int, progress=lambda pair: None
            ) -> Comparison:
    """
    Run two commands in turn and time them.

    A command that writes a line `ms per frame VALUE` (the last one counts) is taken at its word;
    one that does not is timed from start to end. Both have to be of one kind. progress(pair):
    called after each pair.
    Raises ValueError when there is nothing to run, and RuntimeError, in a sentence with its last
    lines, when a command fails or the two cannot be compared.
    """
    if pairs < 1:
        raise ValueError(f'{pairs} pairs of runs were asked for: expected at least 1')
    runs: dict[str, list[tuple[float, bool]]] = {'A': [], 'B': []}
    for pair in range(pairs):
        for name, command in (('A', first), ('B', second)):
            runs[name].append(_measure(name, command))
        kinds = {name: said for name, ((_, said), *_) in runs.items()}
        if any(said != kinds[name] for name in runs for _, said in runs[name]) or \
                kinds['A'] != kinds['B']:
            says, silent = ('A', 'B') if kinds['A'] else ('B', 'A')
            raise RuntimeError(
                f'{says} says what it measured (`ms per frame`) and {silent} does not, so that '
                f'the two cannot be compared: let {silent} write such a line, or choose an {says} '
                'that writes none')
        progress(pair)
    a, b = ([value for value, _ in runs[name]] for name in 'AB')
    return Comparison(tuple(a), tuple(b), kinds['A'])


def split(command: str) -> list[str]:
    """Split a command as a shell does. Raises ValueError, in a sentence."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f'{command!r} cannot be read as a command: {error}') from error
    if not words:
        raise ValueError('the command to compare with is empty: give what a shell would run')
    return words


def _measure(name: str, command: Sequence[str]) -> tuple[float, bool]:
    """Return the milliseconds of one run, and whether the command said them itself."""
    began = time.perf_counter()
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    except OSError as error:
        raise RuntimeError(f'{name}, `{shlex.join(command)}`, cannot be started: '
                           f'{error.strerror}') from error
    taken = 1e3 * (time.perf_counter() - began)
    if run.returncode:
        lines = run.stdout.decode(errors='replace').rstrip().splitlines()[-LINES:]
        tail = ' Its last lines:\n' + '\n'.join(f'  {line}' for line in lines) if lines else \
            ' It has written nothing.'
        raise RuntimeError(f'{name}, `{shlex.join(command)}`, ended with exit code '
                           f'{run.returncode}.{tail}')
    said = SAID.findall(run.stdout)
    if said and not float(said[-1]):
        raise RuntimeError(f'{name}, `{shlex.join(command)}`, says that a frame takes 0 ms: '
                           'expected more')
    return (float(said[-1]), True) if said else (taken, False)
