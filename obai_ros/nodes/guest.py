# SPDX-License-Identifier: Apache-2.0
"""A command that takes part in the graph for a while: joins, serves callbacks, leaves."""
from __future__ import annotations

import contextlib
import signal
import threading

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions


class Guest:
    """
    A node of a command, in a context of its own, so that signals stay with the program.

    make_node: called with the context, returns the node. domain: the ROS domain to join, None for
    that of the environment. A context manager.
    """

    def __init__(self, make_node, domain: int | None = None):
        self._make_node = make_node
        self._domain = domain
        self._context = rclpy.Context()

    def __enter__(self) -> Guest:
        rclpy.init(args=['--ros-args', '--disable-external-lib-logs'], context=self._context,
                   domain_id=self._domain, signal_handler_options=SignalHandlerOptions.NO)
        try:
            self.node = self._make_node(self._context)
        except BaseException:
            self._context.try_shutdown()
            raise
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        return self

    def __exit__(self, *_) -> None:
        self._executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        self._context.try_shutdown()

    def serve_until(self, condition) -> None:
        """Serve callbacks until the condition holds; it is looked at ten times a second."""
        while not condition():
            self._executor.spin_once(timeout_sec=0.1)


@contextlib.contextmanager
def stop_signal():
    """Yield an event that SIGINT and SIGTERM set, instead of breaking in anywhere."""
    event = threading.Event()
    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.signal(number, lambda *_: event.set()) for number in numbers]
    try:
        yield event
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)
