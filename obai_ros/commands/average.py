# SPDX-License-Identifier: Apache-2.0
"""`obai average`: the mean of weights."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from obai_ros.arguments import output_file

SUMMARY = 'average the weights of successive runs, which is often better than any of them'


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('weights', type=Path, nargs='+', metavar='WEIGHTS',
                        help='weights (.safetensors with .json beside, or the name of bundled '
                        'ones) of one preset, the newest last: its record is kept; sigma_o and '
                        'the like and the schedule are those of the first')
    parser.add_argument('--shares', type=float, nargs='+', metavar='SHARE',
                        help='how much of each (default: the same)')
    parser.add_argument('--out', type=output_file, required=True, metavar='FILE',
                        help='the mean (.safetensors; its .json beside)')


def run(args: argparse.Namespace) -> int:
    """Average, write, and say what they are called."""
    from obai_ros.model.checkpoint import checkpoint_path, load_checkpoint, save_checkpoint
    from obai_ros.planning.bank_command import bank_command, beside
    from obai_ros.training.averaging import average

    try:
        checkpoints = [load_checkpoint(checkpoint_path(path)) for path in args.weights]
        model, record = average(checkpoints, args.shares)
        model_id = save_checkpoint(args.out, model, record, checkpoints[0].schedule)
    except (OSError, ValueError) as error:
        print(f'obai average: {error}', file=sys.stderr)
        return 2
    print(f'model {model_id} written to {args.out}; its goals are learned by '
          f'`{bank_command(beside(args.out), args.out)}`')
    return 0
