# SPDX-License-Identifier: Apache-2.0
"""closed_loop: the same nodes in one process."""

import signal

from harness import stamp_of
from obai_ros.msg import ActionField, PerceptionStatus
import pytest
from rclpy.qos import QoSProfile
from std_srvs.srv import SetBool
import yaml

NODES = ('sim_node', 'perception_node', 'planner_node', 'overlay_node')
EVERY = QoSProfile(depth=1000)


def test_all_nodes_in_one_process_with_the_parameters_of_each(
        client, start_node, weights, tmp_path):
    path = tmp_path / 'mine.yaml'
    given = {'sim_node': {'image_size': 32, 'rate': 0., 'seed': 3, 'resend_period': 5.,
                          'action_timeout': 60.},
             'perception_node': {'checkpoint': weights, 'seed': 4},
             'planner_node': {'checkpoint': weights}, 'overlay_node': {'scale': 3}}
    path.write_text(yaml.safe_dump({
        f'/**/{name}': {'ros__parameters': values} for name, values in given.items()}))
    applied = client.collect(ActionField, '/here/applied_action_field', EVERY)
    states = client.collect(PerceptionStatus, '/here/perception_node/status', EVERY)
    loop = start_node('closed_loop', {'__ns': '/here'}, ['--params-file', str(path)], fresh=True)
    client.until(lambda: len(applied) >= 20 and states, 'the loop to go round')
    for name, values in given.items():
        answer = client.parameters(f'/here/{name}')
        assert {key: answer[key] for key in values} == values
    assert client.call(SetBool, '/here/sim_node/pause', data=True).success
    # While nodes still find each other a first image may be sent again; no later one.
    stamps = [stamp_of(message) for message in applied if not message.cut]
    assert stamps == sorted(set(stamps))
    assert states[-1].dropped == states[-1].refused == 0
    assert 'has no parameter' not in loop.output()
    status, seconds = loop.stop(signal.SIGTERM)
    assert status == 0 and seconds < 2.
    assert 'Traceback' not in loop.output()


def test_one_bad_parameter_ends_them_all_in_a_sentence(start_node):
    loop = start_node('closed_loop', **{'overlay_node:scale': 99})
    assert loop.wait() == 2
    assert loop.says(r'parameter scale is 99, expected an integer in \[1, 16\]')
    assert 'Traceback' not in loop.output()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_libraries_load_ends_a_node_quietly(client, start_node, number):
    node = start_node('closed_loop', fresh=True)
    # Python catches SIGINT by itself; SIGTERM is caught when both are ours, before they load.
    client.until(lambda: catches(node.process.pid, signal.SIGTERM), 'the process to begin')
    status, seconds = node.stop(number)
    assert status == 0 and seconds < 2.
    assert node.output() == ''


def catches(pid, number):
    """Tell whether the process has a handler of its own for this signal (Linux)."""
    with open(f'/proc/{pid}/status') as status:
        caught = next(int(line.split()[1], 16) for line in status if line.startswith('SigCgt'))
    return bool(caught >> number - 1 & 1)
