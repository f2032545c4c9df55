# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or not there: written under a temporary name, then renamed."""
from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import BinaryIO, Iterator


@contextlib.contextmanager
def whole_files(*paths: str | Path) -> Iterator[list[BinaryIO]]:
    """
    Open files for writing that appear under their names, on disk, when the block has ended well.

    Folders are made as needed. When the block fails, or the disk is full, whatever was there
    before stays as it was, of all files. What is there and no file, a pipe or /dev/stdout, is
    written to as it is.
    """
    paths = [Path(path) for path in paths]
    written = [path if _is_special(path) else path.with_name(f'.{path.name}.{os.getpid()}')
               for path in paths]
    temporary = [(mine, path) for mine, path in zip(written, paths) if mine != path]
    try:
        with contextlib.ExitStack() as stack:
            for path in paths:
                path.parent.mkdir(parents=True, exist_ok=True)
            streams = [stack.enter_context(open(mine, 'wb')) for mine in written]
            yield streams
            for stream, mine, path in zip(streams, written, paths):
                stream.flush()
                if mine != path:
                    os.fsync(stream.fileno())
        for mine, path in temporary:
            os.replace(mine, path)
    except OSError as error:
        if error.errno and error.filename is None:  # a full disk does not say which one it is
            error.filename = ', '.join(map(str, paths))
        raise
    finally:
        for mine, _ in temporary:
            mine.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open one file for writing, see `whole_files`."""
    with whole_files(path) as (stream,):
        yield stream


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a whole file."""
    with whole_file(path) as stream:
        stream.write(content)


def write_json(path: str | Path, data) -> None:
    """Write data to a JSON file, for people to read as well; NaN, which JSON lacks, is null."""
    write_bytes(path, json_bytes(data))


def json_bytes(data) -> bytes:
    """Return what `write_json` writes."""
    data = json.loads(json.dumps(data), parse_constant=lambda name: None)
    return (json.dumps(data, indent=2) + '\n').encode()
