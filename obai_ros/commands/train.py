# SPDX-License-Identifier: Apache-2.0
"""`obai train`: learn a model from scratch, or go on learning."""
from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from obai_ros.arguments import (
    add_device, add_recordings, add_threads, at_least_zero, output_folder, positive, seed,
    use_threads)

SUMMARY = 'learn a model from active-dSprites, or from recordings, without supervision'


def configure(parser: argparse.ArgumentParser) -> None:
    recipe = parser.add_mutually_exclusive_group()
    recipe.add_argument('--preset', choices=('fast', 'paper', 'smoke'),
                        help='the recipe config/train/PRESET.yaml (default: fast; with --data '
                        'config/train/recorded.yaml, of clips for the same networks)')
    recipe.add_argument('--recipe', type=Path, help='another recipe, a YAML file')
    parser.add_argument('--out', type=output_folder, default=Path('out/train'),
                        help='folder for state, curves and weights (default: out/train)')
    parser.add_argument('--seed', type=seed, default=0)
    parser.add_argument('--resume', action='store_true',
                        help='continue the run in --out; its own recipe and seed count')
    parser.add_argument('--weights', type=Path, metavar='FILE',
                        help='begin with these instead of random ones (.safetensors, or the name '
                        'of bundled ones, for instance fast; weights for smaller images are '
                        'carried over)')
    parser.add_argument('--stage', default='', metavar='NAME',
                        help='begin at this stage of the recipe, leaving out those before')
    parser.add_argument('--data', type=Path, metavar='PATH',
                        help='learn from recordings instead of the simulator: a folder of videos, '
                        'a video, a folder of images, a rosbag2 folder (MCAP or SQLite), or a '
                        'file from `obai generate`')
    add_recordings(parser)
    parser.add_argument('--pilots', type=positive, default=1, metavar='N',
                        help='try N seeds, from --seed on, and go on with the best (default: 1)')
    parser.add_argument('--pilot-steps', type=positive, default=1500, metavar='STEPS',
                        help='length of a pilot (default: %(default)s)')
    parser.add_argument('--max-minutes', type=at_least_zero, default=float('inf'), metavar='M',
                        help='save and stop after so long, pilots included')
    parser.add_argument('--validate-every', type=positive, default=500, metavar='STEPS')
    parser.add_argument('--save-every', type=at_least_zero, default=120.0, metavar='SECONDS')
    add_threads(parser, 0)
    add_device(parser)
    parser.add_argument('--devices', type=positive, default=1, metavar='N',
                        help='number of GPUs or processes per node')
    parser.add_argument('--nodes', type=positive, default=1, metavar='N')
    parser.add_argument('--strategy', default='auto', help="Lightning's; ddp for several devices")


def run(args: argparse.Namespace) -> int:
    from obai_ros.model.checkpoint import checkpoint_path, CheckpointError, load_checkpoint
    from obai_ros.model.device import choose_device
    from obai_ros.training.trials import try_seeds
    from obai_ros.training.recipe import preset_path, read_recipe
    from obai_ros.training.recorded import Recordings
    from obai_ros.training.run import Hardware, resuming, STATE, train

    use_threads(args.threads)
    deadline = time.monotonic() + 60.0 * args.max_minutes
    try:
        useless = [name for name in ('image-topic', 'resize')
                   if getattr(args, name.replace('-', '_')) and not args.data]
        if useless:
            raise ValueError(f'--{useless[0]} is about recordings: give them with --data')
        begins = [f'--{name}' for name in ('weights', 'stage') if getattr(args, name)]
        begins += ['--pilots'] if args.pilots > 1 else []
        if args.resume and begins:
            raise ValueError(f'--resume goes on with what is there, {begins[0]} is about how a '
                             'run begins: leave out one of them')
        if ':' in args.device and args.devices > 1:
            raise ValueError(f'--device {args.device} is one device, and --devices asks for '
                             f'{args.devices}: leave out one of them')
        device = choose_device(args.device)
        preset = args.preset or ('recorded' if args.data else 'fast')
        recipe = read_recipe(args.recipe or preset_path(preset))
        recordings = args.data and Recordings(args.data, args.image_topic, args.resize or 'crop')
        hardware = Hardware('gpu' if device.type == 'cuda' else 'cpu',
                            [device.index] if ':' in args.device else args.devices, args.nodes,
                            args.strategy)
        if not args.resume and (args.out / STATE).exists():
            raise ValueError(
                f'{args.out} holds a run already: `{resuming(args.out, recordings, hardware)}` '
                f'continues it, and --out takes another folder for a new one')
        begin_with = load_checkpoint(checkpoint_path(args.weights)) if args.weights else None

        def learn(seed: int, folder: Path, resume: bool, until: int | None = None) -> bool:
            first = {} if resume else dict(begin_with=begin_with, begin_at=args.stage)
            return train(
                recipe, folder, seed, resume, recordings=recordings, hardware=hardware,
                minutes=(deadline - time.monotonic()) / 60.0, until=until,
                validate_every=args.validate_every, save_every_s=args.save_every, **first)

        resume = args.resume
        if args.pilots > 1:
            seeds = range(args.seed, args.seed + args.pilots)
            best = try_seeds(args.out, seeds, args.pilot_steps,
                             lambda seed, folder, resume: learn(seed, folder, resume,
                                                                args.pilot_steps), STATE)
            if best is None:
                print('pilots were interrupted: the same command goes on with them')
                return 3
            resume = True
        finished = learn(args.seed, args.out, resume)
    except (CheckpointError, ValueError) as error:
        print(f'obai train: {error}', file=sys.stderr)
        return 2
    return 0 if finished else 3
