# SPDX-License-Identifier: Apache-2.0
"""A server of the Foxglove protocol, which Foxglove and Lichtblick speak, for ROS messages."""
from __future__ import annotations

import threading

import foxglove

from obai_ros.recording.definitions import Definitions

BACKLOG = 128
"""Messages that wait for a slow viewer before the oldest are dropped: images are large."""


class BridgeError(RuntimeError):
    """The server cannot be started; the message says why, and what to do."""


class Bridge:
    """
    Offers topics to viewers, and passes messages on as the bytes that they are.

    host, port: where to listen; port 0 chooses a free one. A context manager. Raises BridgeError.
    """

    def __init__(self, host: str = '127.0.0.1', port: int = 8765):
        self._context = foxglove.Context()
        self._definitions = Definitions()
        self._channels: dict[str, foxglove.Channel] = {}
        self._audience = _Audience()
        try:
            self._server = foxglove.start_server(
                name='obai_ros', host=host, port=port, context=self._context,
                server_listener=self._audience, message_backlog_size=BACKLOG)
        except RuntimeError as error:
            raise BridgeError(f'cannot listen at {host}:{port} ({error}): choose another --port '
                              f'or --host, or end what is using it') from error
        self.address = f'ws://{"localhost" if host == "127.0.0.1" else host}:{self._server.port}'
        self.app_url = self._server.app_url()

    def offer(self, topic: str, kind: str) -> None:
        """Tell viewers of a topic of messages of a type, package/msg/Name. Raises UnknownType."""
        definition = self._definitions.of(kind)
        self._channels[topic] = foxglove.Channel(
            topic, message_encoding='cdr', context=self._context,
            schema=foxglove.Schema(name=kind, encoding='ros2msg', data=definition.text.encode()))

    def withdraw(self, topic: str) -> None:
        """Tell viewers that a topic is gone."""
        self._channels.pop(topic).close()

    @property
    def offered(self) -> set[str]:
        return set(self._channels)

    def wanted(self) -> dict[str, int]:
        """Return the topics that somebody looks at, with how often anyone began to."""
        return self._audience.wanted()

    def send(self, topic: str, message: bytes, stamp: int) -> None:
        """Pass on a message, CDR; stamp: ns since 1970, for the time line of the viewer."""
        if topic in self._channels:
            self._channels[topic].log(message, log_time=stamp)

    def close(self) -> None:
        """Say good-bye to all viewers."""
        self._server.stop()

    def __enter__(self) -> Bridge:
        return self

    def __exit__(self, *_) -> None:
        self.close()


class _Audience:
    """Who looks at what; the server calls it from threads of its own."""

    def __init__(self):
        self._lock = threading.Lock()
        self._viewers: dict[str, set[int]] = {}
        self._begun: dict[str, int] = {}

    def wanted(self) -> dict[str, int]:
        with self._lock:
            return {topic: self._begun[topic] for topic, viewers in self._viewers.items()
                    if viewers}

    def on_subscribe(self, client, channel) -> None:
        with self._lock:
            self._viewers.setdefault(channel.topic, set()).add(client.id)
            self._begun[channel.topic] = self._begun.get(channel.topic, 0) + 1

    def on_unsubscribe(self, client, channel) -> None:
        with self._lock:
            self._viewers.get(channel.topic, set()).discard(client.id)
