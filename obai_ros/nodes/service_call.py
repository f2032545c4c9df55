# SPDX-License-Identifier: Apache-2.0
"""One call of a service of a running system, for commands."""
from __future__ import annotations

import os
import sys
import time

from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from std_srvs.srv import Trigger

from obai_ros.nodes.guest import Guest, stop_signal
from obai_ros.nodes.raw_topics import what_is_wrong

APPEARS = 10.0  # s, within which a service that is offered is found
AGAIN = 5.0     # s, after which an answer is taken to be lost: DDS may drop one to a new client
ANSWERS = 40.0  # s, within which a node answers that has weights to load first, or to look


class NoAnswer(RuntimeError):
    """A service is not offered, or nobody answers; the message says what to check."""


def call(kind, node: str, service: str, request, stop=lambda: False):
    """
    Call `node`/`service` and return the response; None if stop() holds before it comes.

    kind: its type; node: a name in the graph, relative or full. A request may be sent twice.
    Raises NoAnswer, and ValueError for a name that cannot be.
    """
    try:
        with Guest(lambda context: Node('obai_call', context=context)) as guest:
            client = guest.node.create_client(kind, f'{node}/{service}')
            name = guest.node.resolve_service_name(client.srv_name)
            _serve(guest, client.service_is_ready, APPEARS, stop)
            if stop():
                return None
            if not client.service_is_ready():
                raise NoAnswer(_nobody(guest.node, kind, name))
            answers = []
            for patience in (AGAIN, ANSWERS - AGAIN):
                answers.append(client.call_async(request))
                _serve(guest, lambda: any(answer.done() for answer in answers), patience, stop)
                for answer in answers:
                    if answer.done():
                        return answer.result()
                if stop():
                    return None
            raise NoAnswer(f'{name} is offered, but has not answered for '
                           f'{ANSWERS:g} s: what does its node write?')
    except NameValidationException as error:
        raise ValueError(what_is_wrong(error)) from error


def reset(node: str, stop=lambda: False):
    """Ask a node to begin anew: sim_node with a new scene, perception_node with its beliefs."""
    return call(Trigger, node, 'reset', Trigger.Request(), stop)


def ask(command: str, question) -> int:
    """
    Print what question(stop), made of a `call`, is answered; return the exit status.

    0: done; 1: the node refused; 2: nobody answered; 130: a signal came before that.
    """
    try:
        with stop_signal() as stop:
            response = question(stop.is_set)
    except (NoAnswer, ValueError) as error:
        print(f'{command}: {error}', file=sys.stderr)
        return 2
    if response is None:
        return 130
    print(response.message, file=sys.stdout if response.success else sys.stderr)
    return 0 if response.success else 1


def _serve(guest, condition, patience, stop):
    deadline = time.monotonic() + patience
    guest.serve_until(lambda: condition() or stop() or time.monotonic() > deadline)


def _nobody(node, kind, name):
    """Say that nobody offers the service `name`, and who offers one of its kind and last word."""
    asked, _, last = name.rpartition('/')
    words = f'{kind.__module__.split(".")[0]}/srv/{kind.__name__}'
    others = [other.removesuffix(f'/{last}')
              for other, kinds in sorted(node.get_service_names_and_types())
              if words in kinds and other.endswith(f'/{last}') and node.count_services(other)]
    return (f'nobody offers {name} in ROS domain {os.environ.get("ROS_DOMAIN_ID", "0")} '
            f'(ROS_DOMAIN_ID): is {asked} running (`obai run` or `make loop` starts it), in this '
            'domain and namespace?' + (
                f' There is {", ".join(others)}: --node chooses it' if others else ''))
