# SPDX-License-Identifier: Apache-2.0
"""Writes a rosbag2 folder (metadata.yaml and an MCAP file) that appears when it is complete."""
from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import (Qos, QosDurability, QosHistory, QosLiveliness, QosReliability,
                                QosTime)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode

from obai_ros.recording import RecordingError
from obai_ros.recording.definitions import Definitions

VERSION = 9  # of the layout; Jazzy and later read and write it


@dataclass(frozen=True)
class Offered:
    """How a topic was published, which `ros2 bag play` repeats: reliable or best effort; latched
    (the last `depth` messages reach those who come late) or not."""

    reliable: bool = True
    latched: bool = False
    depth: int = 10


class BagWriter:
    """
    A bag that is being written; a context manager, which completes it however its block ends, as
    long as there is a message, and says where it is in the RecordingError that what goes wrong
    inside becomes.

    counts: topic -> number of messages so far. The folder is made under another name beside
    `path` and renamed by close(), so that nobody takes half a bag for a whole one. Raises
    RecordingError when there is something at `path` already.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if self.path.exists():
            raise RecordingError(f'{self.path} exists already: choose another name with --out, or '
                                 f'remove it')
        self.counts: Counter = Counter()
        self._definitions = Definitions()
        self._topics: dict[str, object] = {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._workshop = Path(tempfile.mkdtemp(dir=self.path.parent, prefix=f'.{self.path.name}.'))
        # The name of the MCAP file inside is that of the folder, so only its parent is another.
        self._writer = Writer(self._workshop / self.path.name, version=VERSION,
                              storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()

    def add_topic(self, topic: str, kind: str, offered: Offered = Offered()) -> None:
        """Announce a topic of messages of a type, package/msg/Name. Raises UnknownType."""
        definition = self._definitions.of(kind)
        self._topics[topic] = self._writer.add_connection(
            topic, kind, msgdef=definition.text, rihs01=definition.digest,
            offered_qos_profiles=[_qos(offered)])

    def write(self, topic: str, stamp: int, message: bytes) -> None:
        """Write a message, CDR as it came; stamp: when it came, ns since 1970."""
        self._writer.write(self._topics[topic], stamp, message)
        self.counts[topic] += 1

    def close(self) -> None:
        """
        Complete the bag. Raises RecordingError: when it has no message, of which nothing is left,
        and when it cannot be completed, with where to find what was written.
        """
        if not self.counts:
            self.discard()
            raise RecordingError(
                'nothing was recorded, as none of the topics had a message: see `ros2 topic list` '
                'for what there is, and name the images with --image-topic, other topics with '
                '--topics, or their namespace with --namespace')
        try:
            self._writer.close()
            (self._workshop / self.path.name).rename(self.path)
            self._workshop.rmdir()
        except OSError as error:  # up to a megabyte is not written before, and the index
            self._give_up(error)

    def discard(self) -> None:
        """Leave nothing behind."""
        self._writer.abort()
        shutil.rmtree(self._workshop)

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            self.close()
        elif not self.counts:
            self.discard()
        elif issubclass(kind, OSError):  # a full disk, say, on which nothing can be completed
            self._give_up(error)
        else:
            self.close()
            if issubclass(kind, Exception):  # whoever interrupts knows why
                raise RecordingError(
                    f'the recording broke off ({kind.__name__}: {error}); what was recorded until '
                    f'then is complete in {self.path}') from error

    def _give_up(self, error: OSError) -> None:
        with contextlib.suppress(OSError):  # of the same disk, about what is still in memory
            self._writer.abort()
        raise RecordingError(
            f'the recording broke off ({error}); what was written until then is in '
            f'{self._workshop}, from which `mcap recover` makes a file that can be read'
        ) from error


def _qos(offered: Offered) -> Qos:
    forever = QosTime(9223372036, 854775807)  # RMW_DURATION_INFINITE
    return Qos(
        QosHistory.KEEP_LAST, offered.depth,
        QosReliability.RELIABLE if offered.reliable else QosReliability.BEST_EFFORT,
        QosDurability.TRANSIENT_LOCAL if offered.latched else QosDurability.VOLATILE,
        forever, forever, QosLiveliness.AUTOMATIC, forever, False)
