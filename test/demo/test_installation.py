# SPDX-License-Identifier: Apache-2.0
"""Installation: files are found below the prefixes that a workspace or an environment sets."""
import os
import sys

from obai_ros.demo import installation
import pytest


def _install(prefix, *parts):
    path = prefix.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_first_prefix_that_has_the_file_wins(tmp_path, monkeypatch):
    over, under, here = (tmp_path / name for name in ('over', 'under', 'venv'))
    monkeypatch.setenv('AMENT_PREFIX_PATH', os.pathsep.join([str(over), str(under)]))
    monkeypatch.setattr(sys, 'prefix', str(here))
    only = _install(here, 'lib', 'obai_ros', 'sim_node')
    assert installation.executable('sim_node') == only
    _install(under, 'lib', 'obai_ros', 'planner_node')
    wanted = _install(over, 'lib', 'obai_ros', 'planner_node')
    assert installation.executable('planner_node') == wanted
    _install(here, 'lib', 'obai_ros', 'obai')
    assert installation.executables() == ['planner_node', 'sim_node']
    assert installation.ament_prefix_path() == os.pathsep.join(map(str, (over, under, here)))


def test_what_is_not_installed_is_said_with_the_places_and_a_remedy(tmp_path, monkeypatch):
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    monkeypatch.setattr(sys, 'prefix', str(tmp_path))
    with pytest.raises(FileNotFoundError) as caught:
        installation.executable('sim_node')
    assert f'lib/obai_ros/sim_node is not installed below {tmp_path}' in str(caught.value)
    assert 'make setup' in str(caught.value)


def test_configuration_files_are_there_or_named():
    assert installation.config('fastdds.xml').is_file()
    assert installation.config('obai.yaml').is_file()
    with pytest.raises(FileNotFoundError, match='none.yaml is missing'):
        installation.config('none.yaml')
