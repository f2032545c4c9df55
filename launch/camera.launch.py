# SPDX-License-Identifier: Apache-2.0
"""A camera, a video or a folder of images, perception of it, and the overlay.

ros2 launch obai_ros camera.launch.py source:=/dev/video0 rviz:=true
It takes the arguments of perception.launch.py, too. Any other camera driver does as well:
perception.launch.py image_topic:=<its topic>.
"""

import pathlib

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from obai_ros.transport import profiles

ARGUMENTS = [
    DeclareLaunchArgument(
        'source', default_value='',
        description='A camera such as /dev/video0, a video file, or a folder of images; empty: as '
                    'params_file says.'),
]


def check(context):
    """Refuse what cannot be before anything runs: launch leaves behind what it has started."""
    if context.launch_configurations.get('image_transport') == 'compressed':
        raise ValueError('image_transport is compressed, but camera_node publishes raw images '
                         'only: leave image_transport out, or start a driver that compresses, and '
                         'perception.launch.py')


def nodes(context):
    """Return the camera; perception.launch.py has declared the shared arguments."""
    def value(name):
        return LaunchConfiguration(name).perform(context)

    given = {}
    if value('use_sim_time'):
        given['use_sim_time'] = value('use_sim_time') == 'true'
    if value('source'):
        given['source'] = ParameterValue(value('source'), value_type=str)  # 0 is a name, too
    return [
        # camera_info goes out beside the image, wherever that is.
        Node(package='obai_ros', executable='camera_node', namespace=value('namespace'),
             output='screen', emulate_tty=True, parameters=[value('params_file'), given],
             ros_arguments=['--log-level', value('log_level')],
             remappings=[('image_raw', value('image_topic'))], additional_env=profiles()),
    ]


def generate_launch_description():
    # A plain path, so that `ros2 launch --show-args` can look into it.
    perception = str(pathlib.Path(__file__).with_name('perception.launch.py'))
    return LaunchDescription([
        *ARGUMENTS, OpaqueFunction(function=check), IncludeLaunchDescription(perception),
        OpaqueFunction(function=nodes)])
