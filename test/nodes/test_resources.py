# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from obai_ros.nodes.managed_node import ConfigureError  # noqa: E402
from obai_ros.nodes.resources import load_model, locate  # noqa: E402


def test_files_are_named_by_path_or_url(monkeypatch):
    monkeypatch.setenv('HOME', '/home/me')
    assert locate('a/b.safetensors') == Path('a/b.safetensors')
    assert locate('file:///a/b.safetensors') == Path('/a/b.safetensors')
    assert locate('~/b.safetensors') == Path('/home/me/b.safetensors')
    with pytest.raises(ConfigureError, match="no package 'nobody_here'"):
        locate('package://nobody_here/b.safetensors')


def test_the_home_of_nobody_is_a_file_that_is_missing():
    with pytest.raises(ConfigureError, match='~nobody_here/b.safetensors does not exist: '):
        load_model('~nobody_here/b.safetensors')
