# SPDX-License-Identifier: Apache-2.0
"""`obai record`: a running system as an MCAP bag."""
from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from obai_ros.arguments import more_than_zero, output_file, output_folder, positive

SUMMARY = 'record a running system as an MCAP bag, to learn from, to play back or to look at'

TOPICS = ('applied_action_field', 'action_field', 'slots', 'label_image', 'label_info', 'goal',
          'goal_state', 'perception_node/status', 'planner_node/status',
          'ground_truth/label_image', 'ground_truth/objects')
"""What is recorded beside the images and their camera_info."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--out', type=output_folder,
                        help='the folder to make (default: out/bags/DATE-TIME)')
    parser.add_argument('--image-topic', default='', metavar='TOPIC',
                        help="the camera's images, raw or compressed, to record and to count "
                        '(default: image_raw)')
    parser.add_argument('--topics', nargs='+', metavar='TOPIC',
                        help='what to record (default: the images, camera_info beside them, '
                        f'{" ".join(TOPICS)})')
    parser.add_argument('--namespace', default='', help='where names that are relative begin')
    parser.add_argument('--frames', type=positive, default=0, metavar='N',
                        help='stop after so many images')
    parser.add_argument('--duration', type=more_than_zero, default=0.0, metavar='SECONDS',
                        help='stop so long after the first message; without either option Ctrl-C '
                        'ends the recording')
    parser.add_argument('--json', type=output_file, metavar='FILE',
                        help='write how much was recorded to this file')


def run(args: argparse.Namespace) -> int:
    from obai_ros.demo.installation import ament_prefix_path

    os.environ['AMENT_PREFIX_PATH'] = ament_prefix_path()
    try:
        return _record(args)
    except (ValueError, OSError) as error:
        print(f'obai record: {error}', file=sys.stderr)
        return 2


def topics_of(image_topic: str) -> tuple[str, ...]:
    """Return what is recorded of a system with images on this topic, '' for image_raw."""
    images = image_topic or 'image_raw'
    home = ''.join(images.removesuffix('/compressed').rpartition('/')[:2])
    return images, f'{home}camera_info', *TOPICS


def silence(topics: list[str]) -> str:
    """Return what is said of topics on which nothing came, '' where there are none."""
    goals = [name for name in topics if name.rpartition('/')[2] == 'goal']
    others = [name for name in topics if name not in goals]
    return (f'; nothing came on {", ".join(others)}' if others else '') + (
        f'; no goal was set while it was recorded ({", ".join(goals)}), which is nothing unusual'
        if goals else '')


def _record(args) -> int:
    from obai_ros.nodes.guest import stop_signal
    from obai_ros.nodes.recorder_node import record
    from obai_ros.recording.bag_writer import BagWriter

    out = args.out or Path('out/bags') / time.strftime('%Y%m%d-%H%M%S')
    with stop_signal() as stop, BagWriter(out) as writer:
        print(f'recording {out}; Ctrl-C ends it', flush=True)
        node = record(writer, args.topics or topics_of(args.image_topic), args.image_topic,
                      args.namespace, args.frames, args.duration, stop.is_set)
    seconds = time.monotonic() - node.begun
    counts = {name: writer.counts[name] for name in node.topics}
    silent = silence([name for name, count in counts.items() if not count])
    size = sum(file.stat().st_size for file in out.iterdir())
    print(f'{out}: {writer.counts.total()} messages, {node.frames} frames, {seconds:.1f} s, '
          f'{size / 1e6:.1f} MB' + silent)
    if args.json:
        from obai_ros.whole_file import write_json
        write_json(args.json, {
            'bag': str(out), 'frames': node.frames, 'seconds': seconds, 'bytes': size,
            'messages': counts})
    return 0
