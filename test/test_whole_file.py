# SPDX-License-Identifier: Apache-2.0
"""Files are whole or as they were."""
import json
import os

from obai_ros.whole_file import whole_file, write_bytes, write_json
import pytest


def test_a_failure_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / 'deep' / 'file'
    write_bytes(path, b'before')
    with pytest.raises(OSError, match='disk full'), whole_file(path) as stream:
        stream.write(b'half')
        raise OSError('disk full')

    def full(handle):
        raise OSError('no space left')
    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='no space left'):
        write_bytes(path, b'after')
    assert path.read_bytes() == b'before'
    assert [entry.name for entry in path.parent.iterdir()] == ['file']


def test_a_full_disk_is_told_by_the_file(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path / 'file'}'"):
        write_bytes(tmp_path / 'file', b'after')


def test_files_have_the_permissions_that_new_files_have(tmp_path):
    (tmp_path / 'plain').write_bytes(b'')
    write_bytes(tmp_path / 'whole', b'')
    assert (tmp_path / 'whole').stat().st_mode == (tmp_path / 'plain').stat().st_mode


def test_a_pipe_stays_a_pipe(tmp_path):
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_bytes(pipe, b'through')
    assert os.read(reader, 100) == b'through'
    os.close(reader)
    assert pipe.is_fifo()


def test_json_has_no_nan(tmp_path):
    write_json(tmp_path / 'figures.json', {'a': [1.5, float('nan')], 'b': float('inf')})
    assert json.loads((tmp_path / 'figures.json').read_text()) == {'a': [1.5, None], 'b': None}
