# SPDX-License-Identifier: Apache-2.0
"""The life of a process that is one node: start, spin, end cleanly on SIGINT and SIGTERM."""

import signal
import sys

import rclpy
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor

from obai_ros.nodes.parameters import ParameterError


def run(make_node, args=None, threads: int = 3) -> int:
    """Make the node, spin it until the process is told to end, and return the exit status.

    make_node: called without arguments once rclpy is initialised. If the node has a method
    close(), it is called before the node is destroyed. The status is 0 after SIGINT and SIGTERM,
    and 2 if a parameter has a value that the node cannot start with (one sentence says which).
    """
    node = executor = None
    try:
        rclpy.init(args=args)
        node = make_node()
        executor = MultiThreadedExecutor(num_threads=threads)
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ParameterError as error:
        print(f'{error}', file=sys.stderr)
        return 2
    finally:
        # Ctrl-C in a terminal reaches the whole process group, often more than once.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if hasattr(node, 'close'):
            node.close()
        if executor is not None:
            executor.shutdown(timeout_sec=1.0)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
