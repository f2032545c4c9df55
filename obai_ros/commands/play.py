# SPDX-License-Identifier: Apache-2.0
"""`obai play`: the closed loop as a page in the browser, where the mouse sets goals."""
from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import webbrowser
from pathlib import Path

from obai_ros.arguments import add_checkpoint, add_photographs, number, positive, seed, whole

SUMMARY = 'the closed loop as a page in the browser, where the mouse sets goals'


class LoopError(RuntimeError):
    """The loop cannot begin; the message says why."""


class _Told:
    """What the nodes of the loop write, passed on as it comes; path: their log, None for none."""

    def __init__(self, path: Path | None = None):
        self._log = path and open(path, errors='replace')

    def pass_on(self) -> None:
        """Print what is new. Raises LoopError when a node says that it has no way to begin."""
        for line in self._log or ():
            trouble = re.search(r'\[(\w+)\]: (cannot be configured: .*)', line)
            if trouble:
                raise LoopError(' '.join(trouble.groups()))
            print(line, end='', file=sys.stderr, flush=True)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--join', action='store_true',
                        help='show a system that is running, and start none')
    parser.add_argument('--namespace', default='', help='of the nodes that are joined')
    parser.add_argument('--image-topic', default='image_raw', metavar='TOPIC',
                        help="the camera's images, of a system that is joined (default: "
                        '%(default)s)')
    parser.add_argument('--seed', type=seed, default=0,
                        help='of the scenes (default: %(default)s)')
    parser.add_argument('--objects', type=whole(1, 16, 'a number of objects'), default=3,
                        help='in each scene (default: %(default)s, as many as the bundled weights '
                        'have slots for)')
    parser.add_argument('--velocity', type=number(0.0, 1000.0), default=0.0, metavar='SD',
                        help='standard deviation of the velocities that objects begin with, '
                        'px/frame (default: %(default)g, at rest; what moves is soon gone for '
                        'good unless it has a goal; bundled weights have learned with 4)')
    add_photographs(parser)
    parser.add_argument('--rate', type=number(0.001, 1000.0), default=10.0,
                        help='frames per second at most (default: %(default)g)')
    parser.add_argument('--episode-steps', type=positive, default=None, metavar='N',
                        help='begin a new scene after so many frames (default: never)')
    add_checkpoint(parser)
    parser.add_argument('--host', default='127.0.0.1',
                        help='address to listen at; 0.0.0.0 lets other machines look, and set '
                        'goals (default: %(default)s, this machine only)')
    parser.add_argument('--port', type=whole(0, 65535, 'a port'), default=8764,
                        help='0 chooses a free one (default: %(default)s)')
    parser.add_argument('--open', action='store_true', help='open the page in a browser')


def run(args: argparse.Namespace) -> int:
    from obai_ros.demo.installation import ament_prefix_path
    from obai_ros.demo.processes import ChildDied, Supervisor
    from obai_ros.transport import profiles
    from obai_ros.viewing.page import Page, PageError

    os.environ.update(profiles(), AMENT_PREFIX_PATH=ament_prefix_path())
    from obai_ros.nodes.guest import stop_signal
    from obai_ros.nodes.page_node import play
    try:
        with (stop_signal() as stop, Page(args.host, args.port) as page,
              tempfile.TemporaryDirectory(prefix='obai_play_') as logs,
              Supervisor(logs) as children):
            told = _Told()
            if not args.join:
                children.start('closed_loop', _loop(args))
                told = _Told(children.log('closed_loop'))

            def stopped():
                told.pass_on()
                children.check()
                return stop.is_set()

            print(f'open {page.address} in a browser; Ctrl-C ends it', flush=True)
            if args.open:
                webbrowser.open(page.address)
            play(page, stopped, namespace=args.namespace, image_topic=args.image_topic)
    except (ChildDied, LoopError, PageError, ValueError, OSError) as error:
        print(f'obai play: {error}', file=sys.stderr)
        return 2
    return 0


def _loop(args) -> list[str]:
    """Return the command of the closed loop."""
    from obai_ros.demo.installation import config, executable
    values = {'sim_node:seed': args.seed, 'sim_node:num_objects': args.objects,
              'sim_node:velocity_sd': args.velocity, 'sim_node:rate': args.rate,
              'sim_node:photographs': args.photographs,
              'sim_node:episode_steps': args.episode_steps or 0}
    if args.checkpoint is not None:
        from obai_ros.model.checkpoint import checkpoint_path  # torch takes seconds to load
        weights = json.dumps(str(checkpoint_path(args.checkpoint).absolute()))
        values |= {'perception_node:checkpoint': weights, 'planner_node:checkpoint': weights}
    words = [str(executable('closed_loop')), '--ros-args', '--params-file',
             str(config('obai.yaml'))]
    for name, value in values.items():
        words += ['-p', f'{name}:={value}']
    return words
