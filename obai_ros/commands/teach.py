# SPDX-License-Identifier: Apache-2.0
"""`obai teach`: let a preset's networks learn from a model that can see already."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from obai_ros.arguments import (
    add_device, add_precision, add_threads, more_than_zero, output_file, positive, seed,
    use_threads)

SUMMARY = "let another preset's networks learn to see from trained weights"

GO_ON = {'fast': 'onward', 'paper': 'taught'}
"""By preset, the recipe in config/train that goes on with what was taught."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--teacher', type=Path, metavar='WEIGHTS',
                        help='weights to learn from: a file, or the name of bundled ones '
                        '(default: fast)')
    parser.add_argument('--preset', choices=('fast', 'paper'), default='paper',
                        help='whose networks learn (default: paper)')
    parser.add_argument('--pupil', type=Path, metavar='WEIGHTS',
                        help='go on with the networks of weights that this command has written, '
                        'of whichever teacher')
    parser.add_argument('--steps', type=positive, default=8000,
                        help='optimiser steps (default: 8000, about half an hour on a core)')
    parser.add_argument('--batch', type=positive, default=4, help='videos per step (default: 4)')
    parser.add_argument('--learning-rate', type=more_than_zero, default=1e-3)
    parser.add_argument('--seed', type=seed, default=0)
    add_device(parser)
    add_precision(parser)
    add_threads(parser, 0)
    parser.add_argument('--out', type=output_file, required=True, metavar='FILE',
                        help="the pupil's weights (.safetensors; .json beside)")


def run(args: argparse.Namespace) -> int:
    """Teach, write, and say how to go on."""
    import time

    import torch

    from obai_ros.model.checkpoint import checkpoint_path, load_checkpoint, save_checkpoint
    from obai_ros.model.device import choose_device, choose_precision
    from obai_ros.training.recipe import preset_path
    from obai_ros.training.run import machine
    from obai_ros.training.scenes import scenes_of
    from obai_ros.training.teaching import LESSONS, go_on, pupil_of, teach

    use_threads(args.threads)
    begun, said = time.monotonic(), []

    def report(step: int, drawing: float, features: float) -> None:
        said.append((drawing, features))
        if len(said) == min(100, args.steps) or step == args.steps:
            means = [sum(column) / len(said) for column in zip(*said)]
            left = (time.monotonic() - begun) / step * (args.steps - step)
            print(f'{step}/{args.steps}  drawings {means[0]:.4f}  features {means[1]:.4f}  '
                  f'{left / 60:.0f} min left', flush=True)
            said.clear()

    try:
        if args.out.suffix != '.safetensors':
            raise ValueError(f'{args.out} should end in .safetensors')
        device = choose_device(args.device)
        precision, warning = choose_precision(args.precision, device, emulate=True)
        if warning:
            print(f'obai teach: {warning}', file=sys.stderr)
        teacher = load_checkpoint(checkpoint_path(args.teacher), device, precision)
        torch.manual_seed(args.seed)
        pupil = pupil_of(teacher.model, args.preset, precision)
        before: dict = {}
        if args.pupil:
            earlier = load_checkpoint(checkpoint_path(args.pupil), device, precision)
            if earlier.config != pupil.config:
                raise ValueError(f'{args.pupil} is configured differently from what '
                                 f'{args.preset} would be now: expected a pupil of this teacher')
            go_on(pupil, earlier.model)
            before = earlier.record
        teach(teacher.model, pupil, teacher.schedule, scenes_of(teacher), args.steps, args.batch,
              args.learning_rate, args.seed, report)
        record = {
            'stage': 'taught', 'teacher': teacher.model_id, 'steps': args.steps,
            'batch': args.batch, 'sequences': -(-args.steps // LESSONS) * args.batch,
            'learning_rate': args.learning_rate, 'precision': precision, 'seed': args.seed,
            'seconds': round(time.monotonic() - begun), 'hardware': machine(),
            'torch': torch.__version__, **({'before': before} if before else {})}
        model_id = save_checkpoint(args.out, pupil, record, teacher.schedule)
    except (OSError, ValueError) as error:
        print(f'obai teach: {error}', file=sys.stderr)
        return 2
    recipe = preset_path(GO_ON[args.preset])
    print(f'model {model_id} written to {args.out}; go on with `obai train --recipe {recipe} '
          f'--weights {args.out}`')
    return 0
