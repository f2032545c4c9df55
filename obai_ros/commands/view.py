# SPDX-License-Identifier: Apache-2.0
"""`obai view`: the running system in Foxglove or Lichtblick."""
from __future__ import annotations

import argparse
import os
import sys

from obai_ros.arguments import whole

SUMMARY = 'show a running system in Foxglove or Lichtblick, live'


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--host', default='127.0.0.1',
                        help='address to listen at; 0.0.0.0 lets other machines see everything '
                        'that is published (default: %(default)s, this machine only)')
    parser.add_argument('--port', type=whole(0, 65535, 'a port'), default=8765,
                        help='0 chooses a free one (default: %(default)s)')
    parser.add_argument('--topics', nargs='+', metavar='TOPIC',
                        help='what to show (default: all topics; those that nobody looks at cost '
                        'nothing)')


def run(args: argparse.Namespace) -> int:
    from obai_ros.demo.installation import ament_prefix_path, config
    from obai_ros.viewing.bridge import Bridge, BridgeError

    os.environ['AMENT_PREFIX_PATH'] = ament_prefix_path()
    from obai_ros.nodes.guest import stop_signal
    from obai_ros.nodes.viewer_node import view
    try:
        with stop_signal() as stop, Bridge(args.host, args.port) as bridge:
            print(f'open {bridge.app_url}\n'
                  f'or, in Foxglove or Lichtblick, "Open connection": {bridge.address}\n'
                  f'layout to import: {config("foxglove.json")}\n'
                  f'Ctrl-C ends it', flush=True)
            view(bridge, args.topics, stop.is_set)
    except (BridgeError, ValueError, OSError) as error:
        print(f'obai view: {error}', file=sys.stderr)
        return 2
    return 0
