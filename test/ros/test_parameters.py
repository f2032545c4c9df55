# SPDX-License-Identifier: Apache-2.0
"""One table of parameters: the code, config/obai.yaml and what running nodes answer agree."""

import re

import cv2
from harness import CHECKOUT, inside
import numpy as np
from obai_ros.model.schedule import Schedule
from obai_ros.nodes.parameters import ParameterError, Parameters
from obai_ros.nodes.spec import ALWAYS, NEVER, Spec
from obai_ros.nodes.tables import TABLES
import pytest
from rcl_interfaces.msg import ParameterType
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
import yaml

FILE = CHECKOUT / 'config' / 'obai.yaml'
LOOP = CHECKOUT / 'config' / 'closed_loop.yaml'
FOREIGN = ('use_sim_time', 'qos_overrides.', 'start_type_description_service')


def test_file_and_code_have_the_same_defaults():
    # What the closed loop has a default of its own for is commented out.
    text = re.sub(r'^    # (\w+: \S+)$', r'    \1', FILE.read_text(), flags=re.M)
    written = yaml.safe_load(text)
    assert {name.removeprefix('/**/'): node['ros__parameters']
            for name, node in written.items()} == {
        name: {spec.name: spec.default for spec in specs} for name, specs in TABLES.items()}
    for specs in TABLES.values():
        for spec in specs:
            assert spec.refusal(spec.default) == ''


def test_the_closed_loop_has_defaults_of_its_own_for_what_is_commented_out():
    own = {node: set(values['ros__parameters'])
           for node, values in yaml.safe_load(LOOP.read_text()).items()}
    written = yaml.safe_load(FILE.read_text())
    assert own == {node: {spec.name for spec in TABLES[node.removeprefix('/**/')]}
                   - written[node]['ros__parameters'].keys() for node in own}


def test_a_copy_of_the_file_is_as_good_as_the_file_and_an_edited_one_decides(
        client, start_node, tmp_path):
    edited = tmp_path / 'edited.yaml'
    edited.write_text(FILE.read_text().replace('# episode_steps: 0', 'episode_steps: 7'))
    argued = tmp_path / 'argued.yaml'  # as launch_ros writes what it is given as arguments
    argued.write_text('/**:\n  ros__parameters: {episode_steps: 9}\n')
    for files, steps in (([FILE], 40), ([edited], 7), ([edited, argued], 9)):
        given = [word for file in (LOOP, *files) for word in ('--params-file', str(file))]
        start_node('sim_node', {'__ns': f'/steps{steps}'}, arguments=given)
        assert client.parameters(f'/steps{steps}/sim_node')['episode_steps'] == steps


def test_perception_looks_as_carefully_as_benchmarks_do():
    defaults = {spec.name: spec.default for spec in TABLES['perception_node']}
    assert defaults['starts'] == 0  # as suits the model
    for seeds in (False, True):
        careful = Schedule(seeds=seeds).careful()
        assert (careful.births, careful.second_look, careful.confined) == (
            defaults['births'], defaults['second_look'], defaults['confined'])
        assert (careful.starts, careful.sampled) == ((1, False) if seeds else (3, True))


def test_running_nodes_describe_each_parameter(client, start_node, weights, tmp_path):
    cv2.imwrite(str(tmp_path / 'picture.png'), np.zeros((8, 8, 3), np.uint8))
    start_node('camera_node', {'__ns': '/somewhere'}, source=str(tmp_path))
    start_node('closed_loop', {'__ns': '/somewhere'}, **{
        f'{name}:autostart': False for name in ('perception_node', 'planner_node')})
    for name in TABLES:
        values = client.parameters(f'/somewhere/{name}')
        ours = {key for key in values if not key.startswith(FOREIGN)}
        assert ours == {spec.name for spec in TABLES[name]}
        described = client.describe(f'/somewhere/{name}', sorted(ours))
        for spec in TABLES[name]:
            agree(described[spec.name], spec)


def agree(descriptor, spec):
    """Check what a node answers about a parameter against the table."""
    assert descriptor.description == spec.description
    assert spec.expected in descriptor.additional_constraints
    assert descriptor.read_only == (spec.change == NEVER)
    ranges = {ParameterType.PARAMETER_INTEGER: descriptor.integer_range,
              ParameterType.PARAMETER_DOUBLE: descriptor.floating_point_range}
    limits = ranges.get(descriptor.type, [])
    assert [(limit.from_value, limit.to_value) for limit in limits] == (
        [] if spec.low is None else [(spec.low, spec.high)])


def spoilt(spec):
    """Return values that the parameter must not have."""
    if spec.low is not None:
        step = type(spec.default)(1)
        small = [] if spec.least is None else [spec.least / 2, 1e-10]
        return small + [spec.low - step, spec.high + step, 'text']
    if spec.choices or spec.pattern:
        return ['', 'no such thing\n', 3]
    return [3]


@pytest.mark.parametrize('name', TABLES)
def test_every_value_out_of_range_is_refused_at_start_in_a_sentence(domain, name):
    for spec in TABLES[name]:
        for value in spoilt(spec):
            with pytest.raises(ParameterError) as refused, inside(
                    lambda: with_parameters(name), domain, **{spec.name: value}):
                pass
            assert str(refused.value) == (
                f'parameter {spec.name} is {value!r}, expected {spec.expected}; correct it on '
                'the command line or in the parameter file')


def with_parameters(name):
    """Return a node that is nothing but its parameters."""
    node = Node(name)
    try:
        Parameters(node, TABLES[name])
    except ParameterError:
        node.destroy_node()
        raise
    return node


@pytest.mark.parametrize('name, given, said', [
    ('sim_node', 'seed:=-1', 'seed is -1'), ('camera_node', "source:=''", "source is ''"),
    ('perception_node', 'resize:=fold', "resize is 'fold'"),
    ('planner_node', 'goal:=centre', "goal is 'centre'"),
    ('overlay_node', 'scale:=0', 'scale is 0'),
    ('closed_loop', 'planner_node:goal:=centre', "goal is 'centre'")])
def test_a_node_that_cannot_start_ends_with_that_sentence_alone(start_node, name, given, said):
    node = start_node(name, arguments=['-p', given])
    assert node.wait() == 2
    assert node.says(f'parameter {said}, expected')
    assert 'Traceback' not in node.output()


def test_arguments_that_ros_cannot_read_end_a_node_in_a_sentence(start_node, tmp_path):
    broken = tmp_path / 'broken.yaml'
    broken.write_text('camera_node:\n  rate: 3.0\n')
    for arguments, words in (
            (['--params-file', str(tmp_path / 'none.yaml')],
             r"Couldn't parse params file: .*none.yaml.*Error opening YAML file. Correct what"),
            (['--params-file', str(broken)], 'Cannot have a value before ros__parameters at line'),
            (['-p', 'nonsense'], "Couldn't parse parameter override rule: '-p nonsense'")):
        node = start_node('camera_node', arguments=arguments)
        assert node.wait() == 2
        assert node.says(words)
        assert 'Traceback' not in node.output()


@pytest.mark.parametrize('name, value, words', [
    ('qos_overrides./image_raw.publisher.reliability', 'sometimes',
     "is 'sometimes', expected one of .*reliable, best_effort"),
    ('qos_overrides./image_raw.publisher.depth', -1, 'is -1, expected an integer of 0 or more'),
    ('qos_overrides./image_raw.publisher.durability', 'volatile',
     'is none, expected qos_overrides.<topic>.publisher or .subscription')])
def test_qualities_that_there_are_not_are_refused_in_a_sentence(start_node, name, value, words):
    node = start_node('sim_node', **{name: value})
    assert node.wait() == 2
    assert node.says(f'parameter {re.escape(name)} {words}')
    assert 'Traceback' not in node.output()


def test_qualities_take_effect(client, start_node):
    start_node('sim_node', wait_for_agent=False, **{
        'qos_overrides./image_raw.publisher.reliability': 'best_effort'})
    client.until(lambda: client.node.get_publishers_info_by_topic('/image_raw'), 'images')
    found = client.node.get_publishers_info_by_topic('/image_raw')[0]
    assert found.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_the_file_reaches_nodes_in_any_namespace(client, start_node, tmp_path):
    changed = tmp_path / 'mine.yaml'
    changed.write_text(FILE.read_text().replace('scale: 4', 'scale: 7'))
    for namespace in ('/', '/deep/down'):
        start_node('overlay_node', {'__ns': namespace}, arguments=['--params-file', str(changed)])
        assert client.parameters(f'{namespace.rstrip("/")}/overlay_node')['scale'] == 7


@pytest.mark.parametrize('spec, good, bad', [
    (Spec('n', 3, '', 1, 9), [1, 9], [0, 10, 3.0, True, '3']),
    (Spec('x', 3.0, '', 0., 9.), [0.0, 9.0, 3], [
        -.1, 9.1, 10, True, '3', float('nan'), float('inf')]),
    (Spec('rate', 3.0, '', 0., 9., least=.1), [0.0, .1, 9.0], [-.1, 1e-10, .09, 9.1]),
    (Spec('on', True, ''), [False], [0, 'true']),
    (Spec('kind', 'a', '', choices=('a', 'b')), ['b'], ['c', '', 1]),
    (Spec('where', 'cpu', '', pattern=r'cpu|cuda:\d+', constraint='cpu or cuda:N'),
     ['cuda:3'], ['cuda:', 'xcpu', 'cpux']),
])
def test_values_are_refused_in_words(spec, good, bad):
    assert [spec.refusal(value) for value in good] == [''] * len(good)
    for value in bad:
        assert spec.refusal(value) == f'{spec.name} is {value!r}, expected {spec.expected}'


def test_integers_will_do_where_numbers_are_expected(client, start_node, tmp_path):
    file = tmp_path / 'whole.yaml'
    file.write_text('sim_node:\n  ros__parameters: {velocity_sd: 2, action_timeout: 7}\n')
    start_node('sim_node', arguments=['--params-file', str(file)], rate=5)
    values = client.parameters('sim_node')
    assert repr([values[name] for name in ('velocity_sd', 'action_timeout', 'rate')]) == (
        '[2.0, 7.0, 5.0]')
    assert client.set_parameter('sim_node', 'rate', 8).successful
    assert repr(client.parameters('sim_node')['rate']) == '8.0'
    result = client.set_parameter('sim_node', 'rate', 2000)
    assert not result.successful and 'rate' in result.reason
    refused = start_node('sim_node', arguments=['-p', 'rate:=2000'])
    assert refused.wait() == 2
    assert refused.says('parameter rate is 2000.0, expected a number, 0 or in')


def test_what_may_change_at_run_time():
    always = {spec.name for specs in TABLES.values() for spec in specs if spec.change == ALWAYS}
    assert {'iterations', 'goal', 'goal_x', 'goal_y', 'horizon', 'max_acceleration'} <= always
