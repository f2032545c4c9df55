# SPDX-License-Identifier: Apache-2.0
"""The thread of a node's own, for what takes long."""

import os
import queue
import threading
import traceback
from concurrent.futures import Future


def start_worker(node, work) -> None:
    """Run work() in a thread that ends with the process, and the process with it if it fails.

    A signal ends the context of a node at once, also under the worker's hands: what it raises
    after that is no fault.
    """
    def guarded():
        try:
            work()
        except Exception:
            if node.context.ok():
                traceback.print_exc()
                os._exit(1)

    threading.Thread(target=guarded, daemon=True).start()


SPINS = 5000
"""How often a thread of OpenMP that waits for work looks for it before it goes to sleep: for a
tenth of a millisecond, longer than there is between two jobs of a refinement. By default it looks
300,000 times, and takes a core from all that a node does between two images."""


def rest_soon() -> None:
    """
    Let threads of OpenMP go to sleep soon (SPINS), unless the environment says how they wait.

    Only before libgomp is loaded, which is with torch.
    """
    if 'OMP_WAIT_POLICY' not in os.environ:
        os.environ.setdefault('GOMP_SPINCOUNT', str(SPINS))


class Worker:
    """
    A thread that does one thing after the other, see `start_worker`.

    All heavy computation of a node belongs into one such thread. Each thread that computes with
    several of OpenMP's has a team of them, and as soon as the teams of a process together are
    more than its cores, they go to sleep after each little job instead of waiting for the next:
    with two cores, two threads are then as slow as one.
    """

    def __init__(self, node):
        rest_soon()
        self._jobs = queue.SimpleQueue()
        start_worker(node, self._run)

    def do(self, job) -> None:
        """Have job() done when its turn comes; if it fails, the process ends."""
        self._jobs.put(job)

    def ask(self, job):
        """Have job() done when its turn comes, wait for it, return what it returns or raises."""
        answer = Future()
        self._jobs.put(lambda: _answer(answer, job))
        return answer.result()

    def _run(self):
        while True:
            self._jobs.get()()


def _answer(answer: Future, job) -> None:
    try:
        answer.set_result(job())
    except Exception as error:
        answer.set_exception(error)
