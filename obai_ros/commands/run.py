# SPDX-License-Identifier: Apache-2.0
"""`obai run`: one node, for who has no `ros2 run`."""
from __future__ import annotations

import argparse
import os
import sys

SUMMARY = 'start one node, or the closed loop in one process, as `ros2 run obai_ros` does'


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('node', help='sim_node, camera_node, perception_node, planner_node, '
                        'overlay_node, or closed_loop')
    arguments = parser.add_argument(
        'arguments', nargs=argparse.REMAINDER, metavar='--ros-args ...',
        help='what ROS 2 is told: --ros-args -p source:=/dev/video0 -r '
        'image_raw:=/camera/image_raw --params-file FILE')
    arguments.required = False  # argparse would ask for it where `node` is missing


def run(args: argparse.Namespace) -> int:
    from obai_ros.demo.installation import ament_prefix_path, executable, executables
    from obai_ros.transport import profiles

    refusal = refuse(args.node, args.arguments, executables())
    if refusal:
        print(f'obai run: {refusal}', file=sys.stderr)
        return 2
    path = str(executable(args.node))
    sys.stdout.flush()
    # The node takes the place of this process: signals reach it, and its exit status is ours.
    os.execve(path, [path, *args.arguments], {
        **os.environ, 'AMENT_PREFIX_PATH': ament_prefix_path(), **profiles()})


def refuse(node: str, arguments: list[str], known: list[str]) -> str:
    """Return why this cannot be run, '' if it can; known: the nodes that are installed."""
    if known and node not in known:  # with none, there is more to say
        return f'there is no node {node!r}, expected one of {", ".join(known)}'
    if arguments and '--ros-args' not in arguments:
        return (f'{" ".join(arguments)} says nothing to {node}: expected --ros-args before it, '
                'for instance --ros-args -p rate:=5.0; docs/interfaces.md lists parameters')
    return ''
