# SPDX-License-Identifier: Apache-2.0
"""The launch files; only where ROS 2's launch is installed, which the wheels do not have."""

import os
import runpy
import signal
import sys

from ament_index_python.packages import get_package_prefix, PackageNotFoundError
import cv2
from harness import CHECKOUT, NodeProcess, stamp_of
import numpy as np
from obai_ros.msg import SlotBeliefs
from obai_ros.transport import CHOICES, PROFILES
import pytest
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

ros_launch = pytest.importorskip('launch')
sources = pytest.importorskip('launch.launch_description_sources')
pytest.importorskip('launch_ros')

SHARED = {'namespace', 'params_file', 'use_sim_time', 'autostart', 'log_level', 'device',
          'checkpoint', 'image_topic', 'image_transport', 'rviz', 'fixed_frame'}
EVERY = QoSProfile(depth=1000)

# What `ros2 launch` does, of which the tool is not needed
LAUNCH = """\
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
path, *arguments = sys.argv[1:]
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    path, launch_arguments=[tuple(word.split(':=', 1)) for word in arguments])]))
sys.exit(service.run())
"""


class Launch(NodeProcess):
    """A launch file as a process, with what it starts."""

    def __init__(self, name, arguments, log):
        words = [f'{key}:={value}' for key, value in arguments.items()]
        self.begin(name, log, [sys.executable, '-c', LAUNCH,
                               str(CHECKOUT / 'launch' / f'{name}.launch.py'), *words])


@pytest.fixture
def start_launch(domain, tmp_path):
    """Return start(name, **arguments): a Launch that does not outlive the test."""
    started = []

    def start(name, **arguments):
        started.append(Launch(name, arguments, tmp_path / f'launch_{len(started)}.log'))
        return started[-1]

    yield start
    for launch in started:
        launch.kill()
        print(f'--- {launch.name} wrote:\n{launch.output()}')


@pytest.mark.parametrize('name, own', [('perception', set()), ('camera', {'source'}),
                                       ('closed_loop', {'goal', 'goal_x', 'goal_y',
                                                        'episode_steps'})])
def test_arguments_are_declared_and_described(name, own):
    path = CHECKOUT / 'launch' / f'{name}.launch.py'
    description = sources.get_launch_description_from_python_launch_file(str(path))
    arguments = {argument.name: argument for argument in description.get_launch_arguments()}
    assert set(arguments) == SHARED | own
    assert all(len(argument.description) > 10 for argument in arguments.values())


def test_two_loops_in_namespaces_do_not_meet(client, start_launch):
    images = {name: client.collect(Image, f'/{name}/image_raw', EVERY) for name in 'ab'}
    slots = {name: client.collect(SlotBeliefs, f'/{name}/slots', EVERY) for name in 'ab'}
    launched = [start_launch('closed_loop', namespace=name, episode_steps=5, device='cpu')
                for name in 'ab']
    client.until(lambda: all(len(messages) > 12 for messages in slots.values()), 'both loops',
                 timeout=110)
    for name, other in ('ab', 'ba'):
        seen = set(map(stamp_of, slots[name]))
        assert not seen & set(map(stamp_of, images[other]))
        client.until(lambda: seen <= {0} | set(map(stamp_of, images[name])), 'their images')
    nodes = {(node, f'/{space}') for space in 'ab' for node in (
        'sim_node', 'perception_node', 'planner_node', 'overlay_node')}
    client.until(lambda: nodes <= set(client.node.get_node_names_and_namespaces()), 'all nodes')
    ended_cleanly(launched, 4)


def test_a_camera_with_the_arguments_that_matter(client, start_launch, weights, tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.full((40, 60, 3), 80 * number, np.uint8))
    slots = client.collect(SlotBeliefs, '/slots', EVERY)
    camera = client.collect(Image, '/front/image', EVERY)
    launch = start_launch('camera', source=str(tmp_path), image_topic='/front/image',
                          checkpoint=weights, log_level='debug', use_sim_time='false')
    client.until(lambda: len(slots) > 3 and camera, 'slots and images')
    assert (camera[0].width, camera[0].height) == (60, 40)
    assert slots[0].width == 32
    values = client.parameters('/perception_node')
    assert values['checkpoint'] == weights
    ended_cleanly([launch], 3)


def test_perception_waits_for_a_lifecycle_manager_if_told_to(client, start_launch, weights):
    launch = start_launch('perception', autostart='false', checkpoint=weights, device='cpu',
                          namespace='/deep/down')
    values = client.parameters('/deep/down/perception_node')
    assert (values['autostart'], values['device'], values['checkpoint']) == (
        False, 'cpu', weights)
    assert client.parameters('/deep/down/overlay_node')['use_sim_time'] is False
    assert not launch.says('configured')
    ended_cleanly([launch], 2)


def test_a_file_of_parameters_decides_where_no_argument_does(client, start_launch, tmp_path):
    mine = tmp_path / 'mine.yaml'
    mine.write_text('/**/sim_node:\n  ros__parameters: {episode_steps: 7}\n'
                    '/**/planner_node:\n  ros__parameters: {goal: none, use_sim_time: true}\n'
                    '/**/perception_node:\n  ros__parameters: {use_sim_time: true}\n')
    launched = [start_launch('closed_loop', namespace='mine', params_file=str(mine)),
                start_launch('closed_loop', namespace='both', params_file=str(mine), goal='all',
                             goal_x='20'),
                start_launch('closed_loop', namespace='bundled')]
    for space, steps, goal in (('mine', 7, 'none'), ('both', 7, 'all'), ('bundled', 40, 'all')):
        assert client.parameters(f'/{space}/sim_node')['episode_steps'] == steps
        planner = client.parameters(f'/{space}/planner_node')
        assert (planner['goal'], planner['use_sim_time']) == (goal, space != 'bundled')
        assert planner['goal_x'] == (20. if space == 'both' else 32.)
        perception = client.parameters(f'/{space}/perception_node')
        assert perception['use_sim_time'] == (space != 'bundled')
    ended_cleanly(launched, 4)


def test_simulated_time_comes_from_the_simulator(client, start_launch, weights):
    launch = start_launch('closed_loop', use_sim_time='true', checkpoint=weights)
    overlays = client.collect(Image, '/overlay_node/overlay', EVERY)
    client.until(lambda: len(overlays) > 2, 'pictures')
    ended_cleanly([launch], 4)


@pytest.mark.parametrize('name, arguments, words', [
    ('perception', {'autostart': 'perhaps'}, "autostart.*perhaps.*'true'"),
    ('perception', {'params_file': '/nowhere.yaml'},
     'params_file /nowhere.yaml does not exist: give the path'),
    ('closed_loop', {'episode_steps': 'abc'}, "episode_steps is 'abc': expected a number"),
    ('closed_loop', {'episode_steps': '-1'}, "episode_steps is '-1': expected a number"),
    ('closed_loop', {'goal_x': 'left'}, "goal_x is 'left': expected a number of px"),
    ('closed_loop', {'image_transport': 'compressed'},
     'image_transport is compressed, but the simulator publishes raw images only'),
    ('camera', {'image_transport': 'compressed'},
     'image_transport is compressed, but camera_node publishes raw images only'),
    ('closed_loop', {'rviz': 'true'}, 'rviz is true, but the package rviz2 is not installed')])
def test_wrong_arguments_end_the_launch_before_any_node_starts(
        start_launch, name, arguments, words):
    if 'rviz' in arguments and is_installed('rviz2'):
        pytest.skip('RViz is there')
    launch = start_launch(name, **arguments)
    assert launch.wait() != 0
    assert launch.says(words)
    assert not launch.says('process started')


@pytest.mark.parametrize('name', ['perception', 'camera', 'closed_loop'])
def test_nobody_but_the_nodes_is_told_which_transport_to_take(name, monkeypatch):
    for choice in CHOICES:
        monkeypatch.delenv(choice, raising=False)
    path = CHECKOUT / 'launch' / f'{name}.launch.py'
    description = sources.get_launch_description_from_python_launch_file(str(path))
    context = ros_launch.LaunchContext()
    for argument in description.get_launch_arguments():
        argument.execute(context)
    before = dict(os.environ)
    for entity in description.entities:
        assert not isinstance(entity, ros_launch.actions.SetEnvironmentVariable)
    nodes = runpy.run_path(str(path))['nodes']
    for node in nodes(context):
        environment = {ros_launch.utilities.perform_substitutions(context, key):
                       ros_launch.utilities.perform_substitutions(context, value)
                       for key, value in node.process_description.additional_env}
        assert environment == {PROFILES: str(CHECKOUT / 'config' / 'fastdds.xml')}
    assert dict(os.environ) == before
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')
    assert not any(node.process_description.additional_env for node in nodes(context))


def is_installed(package):
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True


def ended_cleanly(launched, nodes):
    for launch in launched:
        launch.process.send_signal(signal.SIGINT)
    for launch in launched:
        assert launch.wait() == 0
        assert launch.output().count('process has finished cleanly') == nodes
        assert 'Traceback' not in launch.output()
