# SPDX-License-Identifier: Apache-2.0
"""The life of a process that is one node: start, spin, end cleanly on SIGINT and SIGTERM."""

import os
import signal
import sys

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from obai_ros.nodes.parameters import ParameterError


def run(make_node, args=None) -> int:
    """Make the node and spin it until the process is told to end; then end the process.

    make_node: called without arguments once rclpy is initialised. The exit status is 0 after
    SIGINT and SIGTERM, and 2 if a parameter has a value that the node cannot start with (one
    sentence says which).

    Callbacks run one after the other, on this thread: handing each to a pool cost tens of
    milliseconds on two cores. What takes long belongs into a thread of the node's own.
    """
    node = None
    status = 0
    try:
        rclpy.init(args=args)
        node = make_node()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ParameterError as error:
        print(f'{error}', file=sys.stderr)
        status = 2
    # Ctrl-C in a terminal reaches the whole process group, often more than once.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if node is not None:
        node.destroy_node()
    rclpy.try_shutdown()
    # Not by return: the interpreter would wait for callbacks that still compute, and take torch
    # apart object by object, which lasts seconds on a busy machine. All that others know of this
    # process has been taken back above.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
