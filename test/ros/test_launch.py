# SPDX-License-Identifier: Apache-2.0
"""The launch files; only where ROS 2's launch is installed, which the wheels do not have."""

from harness import CHECKOUT
import pytest

sources = pytest.importorskip('launch.launch_description_sources')
pytest.importorskip('launch_ros')

SHARED = {'namespace', 'params_file', 'use_sim_time', 'autostart', 'log_level', 'device',
          'checkpoint', 'image_topic', 'rviz'}


@pytest.mark.parametrize('name, own', [('perception', set()),
                                       ('closed_loop', {'goal', 'episode_steps'})])
def test_arguments_are_declared_and_described(name, own):
    path = CHECKOUT / 'launch' / f'{name}.launch.py'
    description = sources.get_launch_description_from_python_launch_file(str(path))
    arguments = {argument.name: argument for argument in description.get_launch_arguments()}
    assert set(arguments) == SHARED | own
    assert all(len(argument.description) > 10 for argument in arguments.values())
