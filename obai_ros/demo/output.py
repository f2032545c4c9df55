# SPDX-License-Identifier: Apache-2.0
"""Files that are complete or not there: written under a temporary name, then renamed."""
from __future__ import annotations

import json
import os
from pathlib import Path


def write_whole(path, write) -> None:
    """Let write(binary stream) make a file that appears under its name only when complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        with open(temporary, 'wb') as stream:
            write(stream)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path, data: dict) -> None:
    """Write data to a JSON file, for people to read as well."""
    text = json.dumps(data, indent=2, allow_nan=False) + '\n'
    write_whole(path, lambda stream: stream.write(text.encode()))
