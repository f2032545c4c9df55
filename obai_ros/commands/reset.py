# SPDX-License-Identifier: Apache-2.0
"""`obai reset`: the simulator shows another scene."""
from __future__ import annotations

import argparse
import os

from obai_ros.arguments import add_node

SUMMARY = 'let the running simulator begin a new scene, as objects that have left never come back'


def configure(parser: argparse.ArgumentParser) -> None:
    add_node(parser, 'sim_node')


def run(args: argparse.Namespace) -> int:
    from obai_ros.demo.installation import ament_prefix_path

    os.environ['AMENT_PREFIX_PATH'] = ament_prefix_path()
    from obai_ros.nodes.service_call import ask, reset
    return ask('obai reset', lambda stop: reset(args.node, stop))
