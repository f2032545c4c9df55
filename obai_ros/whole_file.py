# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or not there: written under a temporary name, then renamed."""
from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import BinaryIO, Iterator


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """
    Open a file for writing that appears under its name, on disk, when the block has ended well.

    Folders are made as needed. When the block fails, or the disk is full, whatever was there
    before stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        with open(temporary, 'wb') as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a whole file."""
    with whole_file(path) as stream:
        stream.write(content)


def write_json(path: str | Path, data) -> None:
    """Write data to a JSON file, for people to read as well; NaN, which JSON lacks, is null."""
    data = json.loads(json.dumps(data), parse_constant=lambda name: None)
    write_bytes(path, (json.dumps(data, indent=2) + '\n').encode())
