# SPDX-License-Identifier: Apache-2.0
"""Bags for tests, written as `obai record` writes them, message by message."""

import numpy as np
import pytest

from obai_ros.messages import action_field, image
from obai_ros.recording.bag import ACTION, COMPRESSED, IMAGE
from obai_ros.recording.bag_writer import BagWriter
from obai_ros.recording.definitions import Definitions

SECOND = 10**9


class Script:
    """Writes messages into a bag; stamps are given in frames, a tenth of a second each."""

    def __init__(self, path):
        self.writer = BagWriter(path)
        definitions = Definitions()
        for kind in (IMAGE, COMPRESSED, ACTION, 'std_msgs/msg/String'):
            definitions.of(kind)
        self._store = definitions.store
        self._topics = set()

    def header(self, frame):
        stamp = SECOND + round(frame * SECOND / 10)
        time = self._store.types['builtin_interfaces/msg/Time'](stamp // SECOND, stamp % SECOND)
        return self._store.types['std_msgs/msg/Header'](time, 'camera')

    def write(self, topic, kind, frame, /, **fields):
        if topic not in self._topics:
            self._topics.add(topic)
            self.writer.add_topic(topic, kind)
        message = self._store.types[kind](**fields)
        self.writer.write(topic, SECOND + round(frame * SECOND / 10),
                          self._store.serialize_cdr(message, kind))

    def image(self, frame, pixels, topic='/image_raw'):
        encoding = 'rgb8' if pixels.ndim == 3 else '8UC1'
        blank = self._store.types[IMAGE](self.header(frame), 0, 0, encoding, 0, 0, None)
        made = image.from_numpy(pixels, encoding, blank)
        self.write(topic, IMAGE, frame, header=made.header, height=made.height, width=made.width,
                   encoding=encoding, is_bigendian=0, step=made.step,
                   data=np.frombuffer(made.data, np.uint8))

    def compressed(self, frame, data, topic='/image_raw/compressed'):
        self.write(topic, COMPRESSED, frame, header=self.header(frame), format='jpeg',
                   data=np.frombuffer(data, np.uint8))

    def action(self, frame, row, col, acceleration, height, width, cut=False,
               topic='/applied_action_field'):
        blank = self._store.types[ACTION](*[None] * 9)
        made = action_field.write(row, col, acceleration, height, width, blank)
        numbers = {name: np.array(getattr(made, name), kind) for name, kind in (
            ('row', np.uint32), ('col', np.uint32), ('ax', np.float32), ('ay', np.float32))}
        self.write(topic, ACTION, frame, header=self.header(frame), frame=int(frame),
                   height=height, width=width, cut=cut, **numbers)

    def text(self, frame):
        self.write('/words', 'std_msgs/msg/String', frame, data='hello')


@pytest.fixture
def script(tmp_path):
    """Return a bag at tmp_path / 'bag' that is being written."""
    return Script(tmp_path / 'bag')
