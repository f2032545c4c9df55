# SPDX-License-Identifier: Apache-2.0
"""`obai goal`: what a running system is to do with the objects."""
from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from obai_ros.arguments import add_node, number

SUMMARY = 'set the goal of a running system; prints what planner_node answers'

# Side, px, from which on a picture is halved, or more, before it is sent: the model's is smaller.
_LARGE = 512


def configure(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(metavar='<kind>', dest='kind', required=True)
    units = 'Lengths are pixels of the model\'s image, 64x64: x, u to the right, y, v downwards.'

    def kind(name, what):
        return kinds.add_parser(name, help=what, description=f'{what}. {units}')

    add_node(kind('none', 'nothing is pushed'), 'planner_node')
    every = kind('all', 'all objects to (X, Y)')
    one = kind('object', 'the object that is now at (U, V) to (X, Y)')
    _add_numbers(one, 'u', 'v')
    some = kind('class', 'each object of a class to (X, Y)')
    some.add_argument('--shape', default='', help='square, ellipse or heart, with the bundled '
                      'weights (default: any)')
    some.add_argument('--colour', type=number(0.0, 1.0), nargs=3, metavar=('R', 'G', 'B'),
                      help='0 to 1 each (default: any)')
    some.add_argument('--size', type=number(0.0, 1e4), nargs=2, metavar=('LEAST', 'GREATEST'),
                      help='side of the bounding square, px (default: any)')
    shown = kind('picture', 'each object to where a picture shows its counterpart')
    shown.add_argument('picture', type=Path, metavar='FILE', help='PNG, JPEG and the like; '
                       'planner_node fits it to the model\'s size by its parameter resize')
    shown.add_argument('--partial', action='store_true',
                       help='also if it shows another number of objects than are in view')
    for each in (every, one, some, shown):
        if each is not shown:
            _add_numbers(each, 'x', 'y')
        each.add_argument('--also', action='store_true', help='the goals before stay in force '
                          'for the objects that this one is not about')
        each.add_argument('--spread', type=number(0.0, 1e4), default=0.0, metavar='PX',
                          help="how near is near enough (default: planner_node's)")
        add_node(each, 'planner_node')


def run(args: argparse.Namespace) -> int:
    from obai_ros.demo.installation import ament_prefix_path

    os.environ['AMENT_PREFIX_PATH'] = ament_prefix_path()
    from obai_ros.camera.source import CameraError
    from obai_ros.nodes.goal_request import ask_for_goal
    from obai_ros.nodes.service_call import ask
    try:
        picture = read_picture(args.picture) if args.kind == 'picture' else None
        return ask('obai goal', lambda stop: ask_for_goal(
            args.node, args.kind, picture, stop, **_fields(args)))
    except (CameraError, ValueError) as error:
        print(f'obai goal: {error}', file=sys.stderr)
        return 2


def read_picture(path: Path):
    """Return the picture of a file, [H, W, 3] uint8 RGB; a large one made smaller as a whole."""
    import cv2

    from obai_ros.camera.source import load_picture
    if not path.is_file():
        raise ValueError(f'{path} does not exist: expected a picture (PNG, JPEG and the like)')
    picture = load_picture(path)
    height, width = picture.shape[:2]
    divisor = min(height, width) // (_LARGE // 2)
    if divisor > 1:
        picture = cv2.resize(picture, (width // divisor, height // divisor),
                             interpolation=cv2.INTER_AREA)
    return picture


def _add_numbers(parser, *names):
    for name in names:
        parser.add_argument(name, type=number(-1e4, 1e4), metavar=name.upper(), help='px')


def _fields(args):
    """Return the fields of Goal.msg that were given."""
    given = vars(args)
    fields = {name: given[name] for name in ('x', 'y', 'u', 'v', 'shape', 'colour', 'also',
                                             'partial', 'spread') if given.get(name) is not None}
    if given.get('size'):
        fields['size_min'], fields['size_max'] = args.size
    return fields
