# SPDX-License-Identifier: Apache-2.0
"""Work that takes long, asked for in a callback, while the node goes on answering."""

from concurrent.futures import ThreadPoolExecutor
import os
import threading

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.task import Future

# Of the scale -20 .. 19 of how modest a thread is.
_MODEST = 10


class SideWork:
    """One thread for the long work of a node.

    group: for the callbacks that await it; they take turns, in the order in which they were
    asked, and no other callback waits for them.
    """

    def __init__(self, node):
        self.group = MutuallyExclusiveCallbackGroup()
        self._pool = ThreadPoolExecutor(1, 'side_work', initializer=_be_modest)
        # The executor sleeps until something happens in the graph; this is something.
        self._bell = node.create_guard_condition(lambda: None)
        self._ringing = threading.Lock()

    async def do(self, function, *arguments):
        """Return what function(*arguments) returns; raise what it raises."""
        finished = Future()

        def ring(work):
            with self._ringing:
                if self._bell is not None:
                    finished.set_result(work)
                    self._bell.trigger()
        self._pool.submit(function, *arguments).add_done_callback(ring)
        return (await finished).result()

    def close(self):
        """Begin nothing more, and leave the node alone, which may go away: nobody is answered."""
        with self._ringing:
            self._bell = None
        self._pool.shutdown(wait=False, cancel_futures=True)


def _be_modest():
    # Linux gives each thread a niceness of its own.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _MODEST)
