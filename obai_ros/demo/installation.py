# SPDX-License-Identifier: Apache-2.0
"""Where this package is installed: its executables, configuration files and libraries."""
from __future__ import annotations

import os
import sys
from pathlib import Path

PACKAGE = 'obai_ros'


def find(*parts: str) -> Path:
    """
    Return the path of an installed file, below the first prefix that has it.

    parts: relative to the prefix, for instance ('lib', 'obai_ros', 'sim_node'). Prefixes are those
    of AMENT_PREFIX_PATH, as sourcing a workspace sets it, and the environment of this interpreter.
    Raises FileNotFoundError, in a sentence.
    """
    for prefix in _prefixes():
        path = prefix.joinpath(*parts)
        if path.is_file():
            return path
    places = ', '.join(str(prefix) for prefix in _prefixes())
    raise FileNotFoundError(
        f'{os.path.join(*parts)} is not installed below {places}; run `make setup` in the project '
        'and use its .venv, or source install/setup.bash after `colcon build`')


def executable(node: str) -> Path:
    """Return the installed executable of a node."""
    return find('lib', PACKAGE, node)


def config(name: str) -> Path:
    """Return an installed file of config/."""
    return find('share', PACKAGE, 'config', name)


def ament_prefix_path() -> str:
    """Return AMENT_PREFIX_PATH with this interpreter's environment, where the wheels are."""
    return os.pathsep.join(str(prefix) for prefix in _prefixes())


def _prefixes() -> list[Path]:
    listed = [Path(entry) for entry in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
              if entry]
    here = Path(sys.prefix)
    return listed if here in listed else [*listed, here]
