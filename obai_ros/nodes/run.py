# SPDX-License-Identifier: Apache-2.0
"""The life of a process of nodes: start, spin, end cleanly on SIGINT and SIGTERM."""

import os
import re
import signal
import sys

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.task import Task

from obai_ros.nodes.parameters import ParameterError


def run(make_node, args=None) -> int:
    """Make a node and spin it until the process is told to end; see run_together."""
    return run_together((make_node,), args)


def run_together(make_nodes, args=None) -> int:
    """Make nodes and spin them until the process is told to end; then end the process.

    make_nodes: each called without arguments once rclpy is initialised. The exit status is 0
    after SIGINT and SIGTERM, whenever they come, and 2 if the arguments of ROS or the value of a
    parameter are none to start with (one sentence says which).

    Callbacks run one after the other, on this thread: handing each to a pool cost tens of
    milliseconds on two cores. What takes long belongs into a thread of the node's own.
    """
    nodes = []
    status = 0
    try:
        # Both end what runs on this thread at once, be it the loading of libraries or weights.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        sys.unraisablehook = _tell_unless_half_made
        _initialise(args)
        executor = SingleThreadedExecutor()
        for make_node in make_nodes:
            nodes.append(make_node())
            executor.add_node(nodes[-1])
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ParameterError as error:
        print(f'{error}', file=sys.stderr)
        status = 2
    except RuntimeError:
        # A signal ends the context at once, whatever is under way in it.
        if rclpy.ok():
            raise
    # Ctrl-C in a terminal reaches the whole process group, often more than once.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()
    # Not by return: the interpreter would wait for callbacks that still compute, and take torch
    # apart object by object, which lasts seconds on a busy machine. All that others know of this
    # process has been taken back above.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _tell_unless_half_made(trouble):
    """Print what went wrong where nobody could catch it, but for tasks that rclpy did not finish.

    A signal may come while it makes one, whose end then misses what was not there yet.
    """
    half_made = trouble.exc_type is AttributeError and trouble.object is getattr(
        Task, '__del__', None)
    if not half_made:
        sys.__unraisablehook__(trouble)


def _initialise(args):
    try:
        rclpy.init(args=args)
    except RuntimeError as error:
        # Less the places in the sources of rcl, which help nobody here.
        reason = re.sub(r',? at /\S+:\d+', '', str(error).strip())
        raise ParameterError(
            f'{reason.removeprefix("failed to initialize rcl: ")}. Correct what stands after '
            '--ros-args on the command line, or the parameter file it names') from error
