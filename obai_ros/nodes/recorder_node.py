# SPDX-License-Identifier: Apache-2.0
"""Hands the messages of a running system to a bag, as they are on the wire."""
from __future__ import annotations

import time

from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.validate_namespace import validate_namespace
from rclpy.validate_topic_name import validate_topic_name

from obai_ros.nodes.guest import Guest
from obai_ros.nodes.raw_topics import published, subscribe, what_is_wrong
from obai_ros.recording.bag_writer import Offered
from obai_ros.recording.definitions import UnknownType

IMAGES = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
LOOK_PERIOD = 0.2  # s, between looks for topics that are not there yet
PATIENCE = 5.0     # s, without images before that is worth a line
LAST_WORDS = 1.0   # s, for what belongs to the last frame if no other frame follows


class RecorderNode(Node):
    """
    Subscribes to topics as they appear, and writes what comes.

    writer: a BagWriter. topics: names, relative ones in the namespace. images: the one of them
    whose messages are frames, '' = none. frames: how many of them to record, 0 = without end.
    say(sentence): for people. Raises NameValidationException; while it serves, ValueError where
    `images` turns out to be something else.
    """

    def __init__(self, context, writer, topics, images='', namespace='', frames=0, say=print):
        super().__init__('obai_record', context=context, namespace=namespace)
        for name in topics:
            validate_topic_name(name)
        self.topics = list(dict.fromkeys(self.resolve_topic_name(name) for name in topics))
        self.frames = 0
        self.begun = None  # monotonic s, when the first message came
        self._writer = writer
        self._limit = frames
        self._say = say
        self._missing = set(self.topics)
        self._stamp = b''
        self._full = None  # monotonic s, when the last frame came
        self._over = False
        self._images = self.resolve_topic_name(images) if images else ''
        self._born = time.monotonic()
        self._look()
        self.create_timer(LOOK_PERIOD, self._look)

    @property
    def done(self) -> bool:
        """Tell whether all frames have come that were asked for, with what belongs to them."""
        return self._over or (
            self._full is not None and time.monotonic() - self._full > LAST_WORDS)

    def _look(self):
        for name, topic in published(self, self._missing).items():
            self._missing.discard(name)
            if name == self._images and topic.kind not in IMAGES:
                raise ValueError(f'{name} is of type {topic.kind}, expected one of '
                                 f'{", ".join(IMAGES)}: name a topic of images')
            try:
                self._writer.add_topic(
                    name, topic.kind, Offered(topic.reliable, topic.latched, topic.depth))
                subscribe(self, topic, self._taker(name))
            except (UnknownType, ImportError) as error:
                self._say(f'{name} is left out: {error}')
        if (self._images in self._missing and self._born
                and time.monotonic() - self._born > PATIENCE):
            self._born = None
            others = sorted(name for name, topic in published(self).items()
                            if topic.kind in IMAGES and name not in self.topics)
            self._say(f'nobody publishes {self._images} yet: is the system running, in this '
                      'ROS_DOMAIN_ID and namespace?' + (
                          f' There are images on {", ".join(others)}: --image-topic chooses'
                          if others else ''))

    def _taker(self, name):
        def take(message, stamp):
            if name == self._images and self._is_beyond(message):
                return
            self.begun = self.begun or time.monotonic()
            self._writer.write(name, stamp, message)
        return take

    def _is_beyond(self, message) -> bool:
        """Count frames; tell whether this one comes after the last that was asked for."""
        # The stamp is what every message with a header begins with, after 4 bytes about bytes. A
        # simulator that waits sends its frame again. Who does not stamp images sends zeros.
        stamp = message[4:12]
        if stamp != self._stamp or not any(stamp):
            if self._limit and self.frames == self._limit:
                self._over = True
                return True
            self._stamp = stamp
            self.frames += 1
            if self.frames == self._limit:
                self._full = time.monotonic()
        return False


def images_of(topics, frames: int = 0) -> str:
    """
    Return the topic whose messages are frames, image_raw or image_raw/compressed; '' if none is.

    Raises ValueError when frames, how many to record, are to be counted and none is.
    """
    for name in topics:
        if name.removesuffix('/compressed').rpartition('/')[2] == 'image_raw':
            return name
    if frames:
        raise ValueError(f'--frames counts images, but none of {", ".join(topics)} is called '
                         'image_raw: say with --image-topic which of them are images')
    return ''


def record(writer, topics, images: str = '', namespace: str = '', frames: int = 0,
           duration: float = 0.0, stop=lambda: False, say=print) -> RecorderNode:
    """
    Record until stop() holds, or so many frames or seconds have been recorded (0: no limit).

    images: the topic whose messages are frames, '' for `images_of` the topics. The seconds count
    from the first message. Returns the node, which has left the graph, for its figures. Raises
    ValueError for names that cannot be, and frames that cannot be counted.
    """
    topics = [images, *topics] if images else list(topics)
    images = images or images_of(topics, frames)
    try:
        validate_namespace(f'/{namespace.strip("/")}')
        with Guest(lambda context: RecorderNode(
                context, writer, topics, images, namespace, frames, say)) as guest:
            node = guest.node
            guest.serve_until(lambda: stop() or node.done or bool(
                duration and node.begun and time.monotonic() - node.begun > duration))
            return node
    except NameValidationException as error:
        raise ValueError(what_is_wrong(error)) from error
