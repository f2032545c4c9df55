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
from obai_ros.share import share_folder
from obai_ros.transport import profiles

# Who has not said what they want gets something to look at; params_file takes precedence.
DEFAULTS = str(share_folder('config') / 'closed_loop.yaml')

ARGUMENTS = [
    DeclareLaunchArgument(
        'goal', default_value='', choices=['', 'none', 'all'],
        description='Push all objects to (goal_x, goal_y), or nothing; empty: as params_file '
                    'says, or all if it does not.'),
    DeclareLaunchArgument(
        'goal_x', default_value='',
        description="Where to, px of the model's image, to the right; empty: as params_file "
                    'says.'),
    DeclareLaunchArgument(
        'goal_y', default_value='',
        description="Where to, px of the model's image, downwards; empty: as params_file says."),
    DeclareLaunchArgument(
        'episode_steps', default_value='',
        description='Frames until a new scene begins, 0 = never; empty: as params_file says, '
                    'or 40 if it does not.'),
]


def check(context):
    """Refuse what cannot be before anything runs: launch leaves behind what it has started."""
    if context.launch_configurations.get('image_transport') == 'compressed':
        raise ValueError('image_transport is compressed, but the simulator publishes raw images '
                         'only: leave image_transport out')
    steps = LaunchConfiguration('episode_steps').perform(context)
    if steps and not steps.isdecimal():
        raise ValueError(f'episode_steps is {steps!r}: expected a number of frames, 0 for '
                         'scenes without end')
    for name in ('goal_x', 'goal_y'):
        place = LaunchConfiguration(name).perform(context)
        try:
            float(place or 0)
        except ValueError:
            raise ValueError(f"{name} is {place!r}: expected a number of px of the model's image"
                             ) from None


def nodes(context):
    """Return simulator and planner; perception.launch.py has declared the shared arguments."""
    def value(name):
        return LaunchConfiguration(name).perform(context)

    steps = value('episode_steps')
    simulator = {'episode_steps': int(steps)} if steps else {}
    if value('use_sim_time') == 'true':
        simulator['publish_clock'] = True  # there is nobody else to do it
    planner = {'goal': value('goal')} if value('goal') else {}
    planner |= {name: float(value(name)) for name in ('goal_x', 'goal_y') if value(name)}
    planner |= {'checkpoint': value('checkpoint')} if value('checkpoint') else {}
    if value('use_sim_time'):
        planner['use_sim_time'] = value('use_sim_time') == 'true'
    if value('autostart'):
        planner['autostart'] = value('autostart') == 'true'
    common = {
        'package': 'obai_ros', 'namespace': value('namespace'), 'output': 'screen',
        'emulate_tty': True, 'ros_arguments': ['--log-level', value('log_level')],
        'remappings': [('image_raw', value('image_topic'))], 'additional_env': profiles()}
    return [
        Node(executable='sim_node', parameters=[DEFAULTS, value('params_file'), simulator], **common),
        Node(executable='planner_node', parameters=[DEFAULTS, value('params_file'), planner],
             **common),
    ]


def generate_launch_description():
    # A plain path, so that `ros2 launch --show-args` can look into it.
    perception = str(pathlib.Path(__file__).with_name('perception.launch.py'))
    return LaunchDescription([
        *ARGUMENTS, OpaqueFunction(function=check), IncludeLaunchDescription(perception),
        OpaqueFunction(function=nodes)])
