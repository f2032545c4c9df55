# SPDX-License-Identifier: Apache-2.0
"""Perception of any camera, and the overlay that shows what it sees.

ros2 launch obai_ros perception.launch.py image_topic:=/camera/image_raw rviz:=true
"""

import pathlib

from ament_index_python.packages import get_package_prefix, PackageNotFoundError
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare
from obai_ros.transport import profiles

# What config/obai.rviz shows, by absolute names, for nodes without a namespace
SHOWN = ('image_raw', 'reconstruction', 'prediction', 'overlay_node/overlay',
         'overlay_node/markers')

SHARE = FindPackageShare('obai_ros')

ARGUMENTS = [
    DeclareLaunchArgument(
        'namespace', default_value='',
        description='Namespace of all nodes; copies of the system live side by side in several.'),
    DeclareLaunchArgument(
        'params_file', default_value=PathJoinSubstitution([SHARE, 'config', 'obai.yaml']),
        description='Parameters of all nodes.'),
    DeclareLaunchArgument(
        'use_sim_time', default_value='', choices=['', 'true', 'false'],
        description='Take the time from /clock; empty: as params_file says.'),
    DeclareLaunchArgument(
        'autostart', default_value='', choices=['', 'true', 'false'],
        description='Let lifecycle nodes activate themselves; empty: as params_file says.'),
    DeclareLaunchArgument(
        'log_level', default_value='info', choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='Severity from which on nodes write to the log.'),
    DeclareLaunchArgument(
        'device', default_value='',
        description='auto, cpu, cuda or cuda:N; empty: as params_file says.'),
    DeclareLaunchArgument(
        'checkpoint', default_value='',
        description='Weights (.safetensors); empty: as params_file says.'),
    DeclareLaunchArgument(
        'image_topic', default_value='image_raw', description='Topic of the camera images.'),
    DeclareLaunchArgument(
        'image_transport', default_value='', choices=['', 'raw', 'compressed'],
        description='How images come, compressed ones on <image_topic>/compressed; empty: as '
                    'params_file says.'),
    DeclareLaunchArgument(
        'rviz', default_value='false', choices=['true', 'false'], description='Start RViz, too.'),
    DeclareLaunchArgument(
        'fixed_frame', default_value='camera_optical_frame',
        description="Frame that RViz shows things in: the frame_id of the camera's images."),
]


def nodes(context):
    """Return the nodes; an argument that is given takes precedence over params_file."""
    def value(name):
        return LaunchConfiguration(name).perform(context)

    # What is wrong is said before anything runs: launch leaves behind what it has started.
    if not pathlib.Path(value('params_file')).is_file():  # launch_ros would go on without
        raise FileNotFoundError(
            f'params_file {value("params_file")} does not exist: give the path of a parameter '
            'file, for instance an edited copy of config/obai.yaml')
    if value('rviz') == 'true':
        try:
            get_package_prefix('rviz2')
        except PackageNotFoundError as error:
            raise RuntimeError('rviz is true, but the package rviz2 is not installed: install '
                               'ros-$ROS_DISTRO-rviz2, or leave rviz out') from error
    given = {name: value(name) for name in ('device', 'checkpoint') if value(name)}
    transport = {'image_transport': value('image_transport')} if value('image_transport') else {}
    if value('autostart'):
        given['autostart'] = value('autostart') == 'true'
    common = {
        'package': 'obai_ros', 'namespace': value('namespace'), 'output': 'screen',
        'emulate_tty': True, 'ros_arguments': ['--log-level', value('log_level')],
        'remappings': [('image_raw', value('image_topic'))], 'additional_env': profiles()}
    clock = {}
    if value('use_sim_time'):
        clock['use_sim_time'] = value('use_sim_time') == 'true'
    return [
        Node(executable='perception_node',
             parameters=[value('params_file'), clock, given, transport], **common),
        Node(executable='overlay_node', parameters=[value('params_file'), clock, transport],
             **common),
        Node(package='rviz2', executable='rviz2', namespace=value('namespace'), output='screen',
             arguments=['-d', PathJoinSubstitution([SHARE, 'config', 'obai.rviz']),
                        '-f', value('fixed_frame')],
             parameters=[clock], additional_env=profiles(),
             remappings=[(f'/{topic}', value('image_topic') if topic == 'image_raw' else topic)
                         for topic in SHOWN],
             condition=IfCondition(LaunchConfiguration('rviz'))),
    ]


def generate_launch_description():
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=nodes)])
