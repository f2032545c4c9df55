# SPDX-License-Identifier: Apache-2.0
"""Where this package is installed: its executables and configuration files."""
from __future__ import annotations

import os
from pathlib import Path

from obai_ros.share import prefixes, share_folder


def executable(node: str) -> Path:
    """
    Return the installed executable of a node, from the first prefix that has it.

    Raises FileNotFoundError, in a sentence.
    """
    for prefix in prefixes():
        path = prefix / 'lib' / 'obai_ros' / node
        if path.is_file():
            return path
    places = ', '.join(str(prefix) for prefix in prefixes())
    raise FileNotFoundError(
        f'lib/obai_ros/{node} is not installed below {places}; run `make setup` in the project '
        'and use its .venv, or source install/setup.bash after `colcon build`')


def executables() -> list[str]:
    """Return the names of all nodes, and processes of nodes, that are installed."""
    return sorted({path.name for prefix in prefixes()
                   for path in (prefix / 'lib' / 'obai_ros').glob('*')
                   if path.is_file()} - {'obai'})


def config(name: str) -> Path:
    """Return a file of config/. Raises FileNotFoundError, in a sentence."""
    path = share_folder('config') / name
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing; install obai_ros again')
    return path


def ament_prefix_path() -> str:
    """Return AMENT_PREFIX_PATH with this interpreter's environment, where the wheels are."""
    return os.pathsep.join(str(prefix) for prefix in prefixes())
