# SPDX-License-Identifier: Apache-2.0
"""One table of parameters: the code, config/obai.yaml and what running nodes answer agree."""

from harness import CHECKOUT
from obai_ros.nodes.parameters import ALWAYS, NEVER, Spec, TABLES
import pytest
from rcl_interfaces.msg import ParameterType
import yaml

FILE = CHECKOUT / 'config' / 'obai.yaml'
FOREIGN = ('use_sim_time', 'qos_overrides.', 'start_type_description_service')


def test_file_and_code_have_the_same_defaults():
    written = yaml.safe_load(FILE.read_text())
    assert {name.removeprefix('/**/'): node['ros__parameters']
            for name, node in written.items()} == {
        name: {spec.name: spec.default for spec in specs} for name, specs in TABLES.items()}
    for specs in TABLES.values():
        for spec in specs:
            assert spec.refusal(spec.default) == ''


@pytest.mark.parametrize('name', TABLES)
def test_running_nodes_describe_each_parameter(client, start_node, weights, name):
    lifecycle = name in ('perception_node', 'planner_node')
    given = {'checkpoint': weights, 'autostart': False} if lifecycle else {}
    start_node(name, {'__ns': '/somewhere'}, **given)
    values = client.parameters(f'/somewhere/{name}')
    ours = {key for key in values if not key.startswith(FOREIGN)}
    assert ours == {spec.name for spec in TABLES[name]}
    described = client.describe(f'/somewhere/{name}', sorted(ours))
    for spec in TABLES[name]:
        descriptor = described[spec.name]
        assert descriptor.description == spec.description
        assert spec.expected in descriptor.additional_constraints
        assert descriptor.read_only == (spec.change == NEVER)
        ranges = {ParameterType.PARAMETER_INTEGER: descriptor.integer_range,
                  ParameterType.PARAMETER_DOUBLE: descriptor.floating_point_range}
        limits = ranges.get(descriptor.type, [])
        assert [(limit.from_value, limit.to_value) for limit in limits] == (
            [] if spec.low is None else [(spec.low, spec.high)])


def test_the_file_reaches_nodes_in_any_namespace(client, start_node, tmp_path):
    changed = tmp_path / 'mine.yaml'
    changed.write_text(FILE.read_text().replace('scale: 4', 'scale: 7'))
    for namespace in ('/', '/deep/down'):
        start_node('overlay_node', {'__ns': namespace}, arguments=['--params-file', str(changed)])
        assert client.parameters(f'{namespace.rstrip("/")}/overlay_node')['scale'] == 7


@pytest.mark.parametrize('spec, good, bad', [
    (Spec('n', 3, '', 1, 9), [1, 9], [0, 10, 3.0, True, '3']),
    (Spec('x', 3.0, '', 0., 9.), [0.0, 9.0], [-.1, 9.1, 3, float('nan'), float('inf')]),
    (Spec('on', True, ''), [False], [0, 'true']),
    (Spec('kind', 'a', '', choices=('a', 'b')), ['b'], ['c', '', 1]),
    (Spec('where', 'cpu', '', pattern=r'cpu|cuda:\d+', constraint='cpu or cuda:N'),
     ['cuda:3'], ['cuda:', 'xcpu', 'cpux']),
])
def test_values_are_refused_in_words(spec, good, bad):
    assert [spec.refusal(value) for value in good] == [''] * len(good)
    for value in bad:
        assert spec.refusal(value) == f'{spec.name} is {value!r}, expected {spec.expected}'


def test_what_may_change_at_run_time():
    always = {spec.name for specs in TABLES.values() for spec in specs if spec.change == ALWAYS}
    assert {'iterations', 'goal', 'goal_x', 'goal_y', 'horizon', 'max_acceleration'} <= always
