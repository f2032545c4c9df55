# SPDX-License-Identifier: Apache-2.0
"""Offers the topics of the graph to viewers, and subscribes to those that are looked at."""
from __future__ import annotations

import functools

from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.validate_topic_name import validate_topic_name

from obai_ros.nodes.guest import Guest
from obai_ros.nodes.raw_topics import published, subscribe, what_is_wrong
from obai_ros.recording.definitions import UnknownType

LOOK_PERIOD = 0.5  # s, between looks at the graph
HEED_PERIOD = 0.1  # s, between looks at what the viewers look at


class ViewerNode(Node):
    """
    bridge: a Bridge. topics: full names to offer, None for all. say(sentence): for people.

    Nothing is subscribed to that nobody looks at, so that nodes compute no picture for nobody.
    """

    def __init__(self, context, bridge, topics=None, say=print):
        super().__init__('obai_view', context=context)
        self._bridge = bridge
        for name in topics or ():
            validate_topic_name(name)
        self._only = None if topics is None else {self.resolve_topic_name(name)
                                                  for name in topics}
        self._say = say
        self._topics = {}
        self._impossible = set()
        self._subscriptions_made = {}
        self._look()
        self.create_timer(LOOK_PERIOD, self._look)
        self.create_timer(HEED_PERIOD, self._heed)

    def _look(self):
        found = published(self, self._only)
        for name in self._bridge.offered - found.keys():
            self._bridge.withdraw(name)
        for name, topic in found.items():
            if name in self._bridge.offered or name in self._impossible:
                continue
            try:
                self._bridge.offer(name, topic.kind)
            except UnknownType as error:
                self._give_up(name, error)
        self._topics = found

    def _heed(self):
        wanted = {name: begun for name, begun in self._bridge.wanted().items()
                  if name in self._topics and name not in self._impossible}
        for name, (begun, subscription) in list(self._subscriptions_made.items()):
            # What is latched comes once for each subscription: one anew for each new viewer.
            if name in wanted and (wanted[name] == begun or not self._topics[name].latched):
                continue
            self.destroy_subscription(subscription)
            del self._subscriptions_made[name]
        for name in wanted.keys() - self._subscriptions_made.keys():
            try:
                subscription = subscribe(
                    self, self._topics[name], functools.partial(self._bridge.send, name))
            except ImportError as error:
                self._bridge.withdraw(name)
                self._give_up(name, error)
            else:
                self._subscriptions_made[name] = wanted[name], subscription

    def _give_up(self, name, error):
        self._impossible.add(name)
        self._say(f'{name} cannot be shown: {error}')


def view(bridge, topics=None, stop=lambda: False, say=print) -> None:
    """Serve viewers until stop() holds. Raises ValueError for names that cannot be."""
    try:
        with Guest(lambda context: ViewerNode(context, bridge, topics, say)) as guest:
            guest.serve_until(stop)
    except NameValidationException as error:
        raise ValueError(what_is_wrong(error)) from error
