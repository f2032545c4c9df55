# SPDX-License-Identifier: Apache-2.0
"""Nodes as processes that need not load libraries: forked from one that has loaded them.

Loading torch takes two seconds of a processor, and tests start a hundred nodes.
"""

import multiprocessing
import os
import sys

_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload([
    'obai_ros.nodes.closed_loop', 'obai_ros.nodes.camera_node', 'obai_ros.model.checkpoint',
    'obai_ros.planning.planner', 'forked'])


class Forked:
    """What subprocess.Popen is to a command, for a node: the part of it that tests use."""

    def __init__(self, name, words, log):
        """Start obai_ros.nodes.<name> with the words of a command line; it writes to the log."""
        log.write_bytes(b'')
        self._process = _CONTEXT.Process(target=_become, args=(
            name, words, str(log), dict(os.environ)))
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self):
        """The exit status (-N: ended by signal N), or None while it runs."""
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def wait(self, timeout=None):
        """Return the exit status; raise TimeoutError after timeout s without one."""
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutError(f'process {self.pid} has not ended within {timeout:g} s')
        return self.returncode

    def send_signal(self, number):
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self):
        self._process.kill()


def _become(name, words, log, environment):
    """Turn this process into what the command would be: alone in its session, with its output."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout.reconfigure(line_buffering=True)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [name, *words]
    from obai_ros.nodes.start import start
    start(name)
