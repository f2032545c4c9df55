# SPDX-License-Identifier: Apache-2.0
"""A supervisor of child processes: starts them, notices when one dies, ends them all."""
from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1


class ChildDied(RuntimeError):
    """A child process ended by itself; the message names it and quotes its last lines."""


class Supervisor:
    """
    Child processes by name, each in a process group of its own, its output in a file.

    log_directory: gets <name>.log for each child, standard output and error together.
    patience: seconds to wait after SIGINT, after SIGTERM and after SIGKILL for the child to end.

    Use as a context manager: leaving it ends every child, whatever happened. Not for use from
    several threads.
    """

    def __init__(self, log_directory, patience=(8.0, 4.0, 4.0)):
        self._log_directory = Path(log_directory)
        self._log_directory.mkdir(parents=True, exist_ok=True)
        self._patience = patience
        self._children: dict[str, subprocess.Popen] = {}
        self._peak: dict[str, float] = {}
        self._cleared: set[int] = set()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def names(self) -> list[str]:
        return list(self._children)

    def pid(self, name: str) -> int:
        """Return the process id of a child, which is also that of its process group."""
        return self._children[name].pid

    def log(self, name: str) -> Path:
        """Return the file that holds the output of a child."""
        return self._log_directory / f'{name}.log'

    def start(self, name: str, command: list[str], environment: dict | None = None) -> None:
        """
        Start a child with the given environment (default: this process's).

        Raises ValueError when the name is taken and OSError when the command cannot be run.
        """
        if name in self._children:
            raise ValueError(f'there is a child called {name!r} already; choose another name')
        with open(self.log(name), 'wb') as log:
            # A group of its own: Ctrl-C in a terminal reaches only us, and we end the children
            # in an orderly way, with whatever they have started.
            self._children[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=environment, start_new_session=True, preexec_fn=_in_child())

    def check(self) -> None:
        """Raise ChildDied when a child has ended; also keeps book of the memory used."""
        for name, child in self._children.items():
            code = child.poll()
            if code is not None:
                raise ChildDied(f'{name} {_how_it_ended(code)}.{self.quote(name)}')
            self._peak[name] = max(self._peak.get(name, 0.0), _resident_mb(child.pid))

    def memory(self) -> dict[str, float]:
        """Return the highest resident memory that `check` saw of each child, MB (10^6 bytes)."""
        return dict(self._peak)

    def tail(self, name: str, lines: int = 15) -> list[str]:
        """Return the last lines that a child has written."""
        with open(self.log(name), 'rb') as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 400 * lines))
            text = log.read().decode(errors='replace')
        return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]

    def quote(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a child as the end of an error message."""
        tail = self.tail(name, lines)
        if not tail:
            return ' It has written nothing.'
        return ' Its last lines:\n' + '\n'.join(f'  {line}' for line in tail)

    def stop(self) -> dict[str, int]:
        """
        End every child: SIGINT, then SIGTERM, then SIGKILL, to the whole group of each.

        All are asked at once, so that this takes no longer than the slowest. Ctrl-C is ignored
        meanwhile: it asks for what is happening already. Returns the exit code of each child
        (negative: the signal that ended it). Harmless to call again.
        """
        restore = _ignore_interrupts()
        try:
            for number, patience in zip((signal.SIGINT, signal.SIGTERM, signal.SIGKILL),
                                        self._patience):
                running = [child for child in self._children.values() if child.poll() is None]
                for child in running:
                    _signal_group(child.pid, number)
                deadline = time.monotonic() + patience
                for child in running:
                    try:
                        child.wait(max(0.0, deadline - time.monotonic()))
                    except subprocess.TimeoutExpired:
                        pass
            for child in self._children.values():
                # What a child has left behind in its group. Once only: later, the number of the
                # group may be another's.
                if child.pid not in self._cleared:
                    self._cleared.add(child.pid)
                    _signal_group(child.pid, signal.SIGKILL)
            return {name: child.returncode for name, child in self._children.items()}
        finally:
            restore()


def _in_child():
    """
    Return what a child does first.

    It takes SIGINT again where we ignore it, as a shell makes its background jobs do; and (on
    Linux) it gets SIGINT when this process is killed outright, and so cannot end it.
    """
    prctl = ctypes.CDLL(None).prctl if sys.platform.startswith('linux') else None

    def prepare():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
    return prepare


def _ignore_interrupts():
    """Ignore SIGINT, SIGTERM and SIGHUP if we may; return a function that undoes it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    try:
        before = [(number, signal.signal(number, signal.SIG_IGN)) for number in numbers]
    except ValueError:  # only the main thread may, and only it is interrupted
        return lambda: None

    def restore():
        for number, handler in before:
            signal.signal(number, handler)
    return restore


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f'ended by itself with exit code {code}'
    return f'was ended by {signal.Signals(-code).name}'


def _resident_mb(pid: int) -> float:
    """Return the resident memory of a process, MB; 0 when it is gone or not told."""
    try:
        with open(f'/proc/{pid}/statm') as statm:
            return int(statm.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
