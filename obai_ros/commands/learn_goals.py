# SPDX-License-Identifier: Apache-2.0
"""`obai learn-goals`: the bank from which goals are made at run time."""
from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from obai_ros.arguments import (
    add_checkpoint, add_device, add_photographs, add_recordings, add_threads, output_file,
    positive, seed, use_threads)

SUMMARY = 'learn what places look like to a model, so that goals can be set for it'


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_checkpoint(parser)
    parser.add_argument('--data', type=Path, metavar='PATH',
                        help='learn from what was recorded, as for `obai train --data`: objects '
                        'that show whole, whose places are the middles of their masks, and whose '
                        'shapes have no names (default: from the simulator, whose objects are '
                        'known)')
    add_recordings(parser)
    add_photographs(parser)
    parser.add_argument('--out', type=output_file, metavar='FILE',
                        help='the bank (default: NAME.goals.safetensors beside the weights, where '
                        'the nodes look for it); a file that is named here is replaced')
    parser.add_argument('--force', action='store_true',
                        help='replace the bank beside the weights, if there is one')
    parser.add_argument('--objects', type=positive, default=10_000,
                        help='objects in the bank (default: %(default)s)')
    parser.add_argument('--batch', type=positive, default=32,
                        help='scenes at once (default: %(default)s)')
    parser.add_argument('--frames', type=positive, default=2,
                        help='frames per scene (default: %(default)s)')
    parser.add_argument('--iterations', type=positive,
                        help='refinements per frame (default: as the model was trained)')
    parser.add_argument('--seed', type=seed, default=0,
                        help='of the scenes (default: %(default)s)')
    add_device(parser)
    add_threads(parser)
    parser.add_argument('--json', type=output_file, metavar='FILE',
                        help='write the figures to this file')


def run(args: argparse.Namespace) -> int:
    """Learn and write the bank; an interrupted run is continued by the same command."""
    from obai_ros.model.checkpoint import checkpoint_path, load_checkpoint
    from obai_ros.model.device import choose_device, choose_precision
    from obai_ros.planning.bank_command import beside
    from obai_ros.progress import Progress
    from obai_ros.training.goal_footage import FootageScenes
    from obai_ros.training.goal_learning import GoalLearning, learn_goals, Simulated
    from obai_ros.training.recorded import read_footage
    from obai_ros.whole_file import write_json

    started = time.monotonic()
    use_threads(args.threads)
    try:
        settings = GoalLearning(args.objects, args.batch, args.frames, args.iterations, args.seed)
        useless = [name for name in ('image-topic', 'resize')
                   if getattr(args, name.replace('-', '_')) and args.data is None]
        if useless:
            raise ValueError(f'--{useless[0]} is about recordings: give them with --data')
        if args.photographs and args.data is not None:
            raise ValueError('--photographs is about the simulator: leave it out, or --data')
        weights = checkpoint_path(args.checkpoint)
        path = args.out or beside(weights)
        if path.resolve() == weights.resolve():
            raise ValueError(f'--out {path} is the file of the weights, which the bank would '
                             f'replace: expected another name, such as {beside(weights)}')
        if path.exists() and not (args.out or args.force):
            raise ValueError(f'{path} is there already: --force replaces it, --out FILE writes '
                             f'another one')
        device = choose_device(args.device)
        # As perception_node looks unless told otherwise.
        precision, _ = choose_precision('auto', device)
        checkpoint = load_checkpoint(weights, device, precision)
        source = Simulated(args.photographs)
        if args.data is not None:
            footage = read_footage(args.data, checkpoint.config.image_size, args.image_topic,
                                   args.resize or 'crop')
            print(f'{args.data}: {footage.frames} frames')
            source = FootageScenes(footage)
        with Progress('obai learn-goals', args.objects, 'objects') as advance:
            bank = learn_goals(checkpoint, settings, path,
                               lambda objects, seen: advance(objects, f', {seen} scenes'), source)
    except (OSError, ValueError) as error:
        print(f'obai learn-goals: {error}', file=sys.stderr)
        return 2
    error = (bank.locate(bank.mean) - bank.position).square().sum(-1).mean().sqrt().item()
    figures = {'objects': len(bank), 'model_id': bank.model_id, 'bank': str(path),
               'precision': precision, 'readout_rmse_px': error,
               'wall_s': time.monotonic() - started}
    print(f'{len(bank)} objects written to {path}; a linear read-out of the beliefs gives the '
          f'position within {error:.2f} px (root mean square)')
    if args.json:
        write_json(args.json, figures)
    return 0
