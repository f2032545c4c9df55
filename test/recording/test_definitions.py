# SPDX-License-Identifier: Apache-2.0
import importlib.util
import json
from pathlib import Path
import sys

import pytest

from obai_ros.recording.definitions import Definitions, UnknownType

INSTALLED = Path(sys.prefix) / 'share' / 'obai_ros' / 'msg'


def test_a_definition_holds_all_that_the_type_contains():
    definition = Definitions().of('obai_ros/msg/PlannerStatus')
    assert definition.name == 'obai_ros/msg/PlannerStatus'
    assert 'float32[] feef' in definition.text
    for inner in ('std_msgs/Header', 'builtin_interfaces/Time', 'obai_ros/Goal'):
        assert f'MSG: {inner}\n' in definition.text
    assert definition.digest.startswith('RIHS01_')


@pytest.mark.skipif(importlib.util.find_spec('obai_ros.msg') is None, reason='not built here')
def test_digests_are_those_that_ros_computes():
    definitions = Definitions()
    described = sorted(INSTALLED.glob('*.json'))
    assert described
    for path in described:
        hashes = {entry['type_name']: entry['hash_string']
                  for entry in json.loads(path.read_text())['type_hashes']}
        name = f'obai_ros/msg/{path.stem}'
        assert definitions.of(name).digest == hashes[name]


def test_standard_types_are_known_where_ros_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv('AMENT_PREFIX_PATH', '')
    monkeypatch.setattr(sys, 'prefix', str(tmp_path))
    assert 'uint32 step' in Definitions().of('sensor_msgs/msg/Image').text
    assert 'float32[] ax' in Definitions().of('obai_ros/msg/ActionField').text


@pytest.mark.parametrize('name, complaint', [
    ('nowhere_msgs/msg/Nothing', 'nowhere_msgs/msg/Nothing was not found; searched .*source'),
    ('example_interfaces/action/Fibonacci', 'is no message')])
def test_what_has_no_definition_is_named(name, complaint):
    with pytest.raises(UnknownType, match=complaint):
        Definitions().of(name)
