# SPDX-License-Identifier: Apache-2.0
"""Topics of any type as they are on the wire: found in the graph, subscribed to as bytes."""
from __future__ import annotations

import importlib
from dataclasses import dataclass

from rclpy.exceptions import NameValidationException
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from obai_ros.nodes import qos


@dataclass(frozen=True)
class Topic:
    """
    A topic with publishers.

    kind: its type, package/msg/Name. reliable, latched: whether all its publishers are.
    depth: the deepest of their queues; 1 or 10 where discovery does not tell.
    """

    name: str
    kind: str
    reliable: bool
    latched: bool
    depth: int


def published(node, names=None) -> dict[str, Topic]:
    """Return the topics that somebody publishes now, by full name; names: only those."""
    topics = {}
    for name, kinds in node.get_topic_names_and_types():
        if names is not None and name not in names:
            continue
        profiles = [endpoint.qos_profile for endpoint in node.get_publishers_info_by_topic(name)
                    if endpoint.node_name != node.get_name()]
        if profiles:
            latched = all(one.durability == DurabilityPolicy.TRANSIENT_LOCAL for one in profiles)
            topics[name] = Topic(
                name, kinds[0],
                all(one.reliability == ReliabilityPolicy.RELIABLE for one in profiles), latched,
                max(one.depth for one in profiles) or (1 if latched else qos.DATA.depth))
    return topics


def subscribe(node, topic: Topic, take):
    """
    Subscribe as well as all publishers allow; return the subscription.

    take(message: bytes, stamp: int): called with each message, CDR, and when it came, ns since
    1970. Raises ImportError when the type is not installed here.
    """
    package, folder, name = topic.kind.split('/')
    module = importlib.import_module(f'{package}.{folder}')
    if not hasattr(module, name):
        raise ImportError(f'{package}.{folder} has no {name}')
    profile = QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=qos.RECORD.depth,
        reliability=ReliabilityPolicy.RELIABLE if topic.reliable else
        ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if topic.latched else
        DurabilityPolicy.VOLATILE)

    def taken(message, info):
        take(message, info['received_timestamp'] or node.get_clock().now().nanoseconds)
    return node.create_subscription(getattr(module, name), topic.name, taken, profile, raw=True)


def what_is_wrong(error: NameValidationException) -> str:
    """Return in one line why a name of a topic or a namespace cannot be."""
    what, which = str(error).splitlines()[:2]
    return f'{what} {which.strip()}'
