# SPDX-License-Identifier: Apache-2.0
"""How an executable begins: libraries take seconds to load, and signals may come meanwhile."""

import importlib
import os
import signal


def start(name: str) -> int:
    """Run main() of obai_ros.nodes.<name>; SIGINT and SIGTERM end the process with status 0.

    Until main() takes over there is nothing that would have to be taken back.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    return importlib.import_module(f'obai_ros.nodes.{name}').main()


def _end(number, frame):
    os._exit(0)
