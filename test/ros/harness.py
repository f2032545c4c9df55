# SPDX-License-Identifier: Apache-2.0
"""Real nodes as processes, and a node of the test's own that talks with them over DDS.

Nothing here sleeps for a while and hopes: everything waits for an event, with a deadline.
"""

import contextlib
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

from forked import Forked
from obai_ros.nodes import qos
import pytest
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python

PATIENCE = 60.
"""Seconds after which what was waited for is taken never to happen, on a machine under load."""

CHECKOUT = Path(__file__).parents[2]


class NodeProcess:
    """A node as a process; what it writes is in `output()`."""

    def __init__(self, name, parameters, log, remappings, arguments=(), fresh=False):
        """Start it; fresh: as users do, loading its libraries, which takes seconds."""
        words = ['--ros-args', *_flags(parameters, remappings), *arguments]
        if fresh:
            code = f'from obai_ros.nodes.start import start; start({name!r})'
            self.begin(name, log, [sys.executable, '-c', code, *words])
        else:
            self.name, self._log = name, log
            self.process = Forked(name, words, log)

    def begin(self, name, log, command):
        """Start the command as a process of that name."""
        path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get('PYTHONPATH')]))
        self.name, self._log = name, log
        with open(log, 'wb') as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, 'PYTHONPATH': path}, start_new_session=True,
                preexec_fn=_take_interrupts)

    def output(self) -> str:
        return self._log.read_text(errors='replace')

    def says(self, pattern: str) -> bool:
        """Tell whether something that it wrote matches the regular expression."""
        return re.search(pattern, self.output()) is not None

    def running(self) -> bool:
        return self.process.poll() is None

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit status."""
        return self.process.wait(PATIENCE)

    def stop(self, number=signal.SIGINT):
        """Send the signal; return (exit status, seconds that it took)."""
        begin = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE), time.monotonic() - begin

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()


class Client:
    """A node of the test's own; nothing happens in it except while `until` or `call` waits."""

    def __init__(self, domain):
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node('test_client', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def close(self):
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def collect(self, kind, topic, profile=qos.DATA, callback=None):
        """Subscribe; return the list that messages are appended to (and given to callback)."""
        received = []

        def keep(message):
            received.append(message)
            if callback is not None:
                callback(message)

        self.node.create_subscription(kind, topic, keep, profile)
        return received

    def publisher(self, kind, topic, profile=qos.DATA):
        return self.node.create_publisher(kind, topic, profile)

    def heard_publisher(self, kind, topic, profile=qos.DATA):
        """Return a publisher that has found a subscriber."""
        publisher = self.publisher(kind, topic, profile)
        self.until(publisher.get_subscription_count, f'a subscriber of {topic}')
        return publisher

    def until(self, condition, what='', timeout=PATIENCE):
        """Handle what arrives until condition() holds; fail when it does not within timeout s."""
        if not self.wait(condition, timeout):
            pytest.fail(f'waited {timeout:g} s in vain{" for " if what else ""}{what}')

    def wait(self, condition, timeout) -> bool:
        """Handle what arrives until condition() holds or timeout s have passed; say which."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._executor.spin_once(timeout_sec=.05)
        return True

    def during(self, seconds):
        """Handle what arrives for so long: to see that something does not happen."""
        self.wait(lambda: False, seconds)

    def call(self, kind, service, **fields):
        """Call a service as soon as it is there; return its response."""
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready, f'service {service}')
        future = client.call_async(kind.Request(**fields))
        self.until(future.done, f'the answer of {service}')
        self.node.destroy_client(client)
        return future.result()

    def set_parameter(self, node, name, value):
        """Return the SetParametersResult of the node."""
        return self.call(
            SetParameters, f'{node}/set_parameters',
            parameters=[Parameter(name, value=value).to_parameter_msg()]).results[0]

    def parameters(self, node) -> dict:
        """Return {name: value} of all parameters of a node."""
        names = self.call(ListParameters, f'{node}/list_parameters').result.names
        values = self.call(GetParameters, f'{node}/get_parameters', names=names).values
        return dict(zip(names, map(parameter_value_to_python, values)))

    def describe(self, node, names) -> dict:
        """Return {name: ParameterDescriptor} of some parameters of a node."""
        answer = self.call(DescribeParameters, f'{node}/describe_parameters', names=names)
        return {descriptor.name: descriptor for descriptor in answer.descriptors}


@contextlib.contextmanager
def inside(kind, domain, remappings={}, **parameters):
    """Make a node of that kind in this process, for the block; nobody spins it.

    For nodes that publish from threads of their own, and for those that refuse to start.
    """
    rclpy.init(args=['--ros-args', *_flags(parameters, remappings)], domain_id=domain)
    try:
        node = kind()
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def stamp_of(message) -> int:
    """Return the stamp of a message, ns, which identifies its frame."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def _take_interrupts():
    # A shell makes its background jobs ignore SIGINT, and children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _flags(parameters, remappings):
    return [word for key, value in parameters.items()
            for word in ('-p', f'{key}:={json.dumps(value)}')] + [
        word for old, new in remappings.items() for word in ('-r', f'{old}:={new}')]
