# SPDX-License-Identifier: Apache-2.0
"""What the messages of ROS 2 look like, as bags and viewers want to be told."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from obai_ros.share import prefixes

OURS = 'obai_ros'
CHECKOUT = Path(__file__).resolve().parents[2]


class UnknownType(ValueError):
    """There is no definition of a message here; the message says where it was looked for."""


@dataclass(frozen=True)
class Definition:
    """
    The definition of one type of message.

    name: such as sensor_msgs/msg/Image. text: the definition with all that it contains, in the
    format that MCAP and the Foxglove protocol call ros2msg. digest: RIHS01 hash, as in rosbag2.
    """

    name: str
    text: str
    digest: str


class Definitions:
    """Finds definitions: in the .msg files that are installed, else in those of ROS 2 Kilted."""

    def __init__(self):
        self.store = get_typestore(Stores.EMPTY)
        self._builtin = get_typestore(Stores.ROS2_KILTED).fielddefs

    def of(self, name: str) -> Definition:
        """Return the definition of a type, package/msg/Name. Raises UnknownType."""
        types = {}
        self._collect(name, types)
        self.store.register(types)
        text, _ = self.store.generate_msgdef(name, ros_version=2)
        return Definition(name, text, self.store.hash_rihs01(name))

    def _collect(self, name: str, types: dict) -> None:
        """Add a type and those it contains, unless they are known already."""
        if name in self.store.fielddefs or name in types:
            return
        found = self._read(name)
        types.update(found)
        for _, fields in found.values():
            for _, field in fields:
                for inner in _names(field):
                    self._collect(inner, types)

    def _read(self, name: str) -> dict:
        if not re.fullmatch(r'\w+/msg/\w+', name):
            raise UnknownType(f'{name} is no message, expected a type such as '
                              f'sensor_msgs/msg/Image')
        package, _, short = name.split('/')
        folders = _folders(package)
        for folder in folders:
            path = folder / f'{short}.msg'
            if path.is_file():
                return get_types_from_msg(path.read_text(), name)
        if name in self._builtin:
            return {name: self._builtin[name]}
        raise UnknownType(
            f'the definition of {name} was not found; searched '
            f'{", ".join(str(folder) for folder in folders)}: source the workspace that has it')


def _folders(package: str) -> list[Path]:
    folders = [prefix / 'share' / package / 'msg' for prefix in prefixes()]
    # What is installed first: that is what running nodes were built with.
    return [*folders, CHECKOUT / 'msg'] if package == OURS else folders


def _names(field: tuple) -> Iterator[str]:
    """Yield the names of the types that a field refers to."""
    kind, description = field
    if kind == Nodetype.NAME:
        yield description
    elif kind in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        yield from _names(description[0])
