# SPDX-License-Identifier: Apache-2.0
"""The closed loop: simulator, perception, planner and overlay.

ros2 launch obai_ros closed_loop.launch.py rviz:=true
It takes the arguments of perception.launch.py, too.
"""

import pathlib

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

ARGUMENTS = [
    DeclareLaunchArgument(
        'goal', default_value='all', choices=['', 'none', 'all'],
        description='Push all objects to (goal_x, goal_y) of params_file, or nothing; '
                    'empty: as params_file says.'),
    DeclareLaunchArgument(
        'episode_steps', default_value='40',
        description='Frames until a new scene begins, 0 = never; empty: as params_file says.'),
]


def nodes(context):
    """Return simulator and planner; perception.launch.py has declared the shared arguments."""
    def value(name):
        return LaunchConfiguration(name).perform(context)

    simulator = {'episode_steps': int(value('episode_steps'))} if value('episode_steps') else {}
    planner = {name: value(name) for name in ('goal', 'checkpoint') if value(name)}
    planner['use_sim_time'] = value('use_sim_time') == 'true'
    if value('autostart'):
        planner['autostart'] = value('autostart') == 'true'
    common = {
        'package': 'obai_ros', 'namespace': value('namespace'), 'output': 'screen',
        'emulate_tty': True, 'ros_arguments': ['--log-level', value('log_level')],
        'remappings': [('image_raw', value('image_topic'))]}
    return [
        Node(executable='sim_node', parameters=[value('params_file'), simulator], **common),
        Node(executable='planner_node', parameters=[value('params_file'), planner], **common),
    ]


def generate_launch_description():
    # A plain path, so that `ros2 launch --show-args` can look into it.
    perception = str(pathlib.Path(__file__).with_name('perception.launch.py'))
    return LaunchDescription([
        *ARGUMENTS, IncludeLaunchDescription(perception), OpaqueFunction(function=nodes)])
