# SPDX-License-Identifier: Apache-2.0
"""`obai evaluate`: score weights on a data set, beside the paper's table."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from obai_ros.arguments import (
    add_checkpoint, add_device, add_precision, add_recordings, add_threads, count, output_file,
    positive, seed, use_threads)

SUMMARY = 'score a model: ARI, FARI, reconstruction and prediction, beside the paper'


def configure(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    parser.add_argument('--dataset', '--data', type=Path, metavar='PATH',
                        help='a file from `obai generate`, or recordings as for `obai train '
                        '--data`; default: fresh videos, generated on the spot')
    add_recordings(parser)
    parser.add_argument('--sequences', type=positive, default=1000,
                        help='how many to generate, or to use of the data set (default: 1000)')
    parser.add_argument('--seed', type=seed, default=0, help='of the videos without --dataset')
    parser.add_argument('--identity', action='store_true',
                        help='also report how often objects stay in their slots over 12 frames')
    parser.add_argument('--streams', type=count, default=0, metavar='N',
                        help='also watch so many streams for 24 frames each, and report how '
                        'scores hold over time')
    parser.add_argument('--iterations', type=count, default=0,
                        help='refinements per frame (default: as trained)')
    parser.add_argument('--window', type=count, default=0,
                        help='frames refined together (default: as trained)')
    parser.add_argument('--starts', type=count, default=0, metavar='N',
                        help='begin the first frame so often, keep what has the least free '
                        'energy (default: 1 where slots begin at seeds, otherwise 3)')
    parser.add_argument('--births', type=count, default=3, metavar='N', help='then give objects '
                        'that no slot explains one, up to so often (default: %(default)s)')
    parser.add_argument('--descent', type=count, default=0, metavar='N', help='then let beliefs '
                        'follow the gradient of the free energy for N steps: slow, and more '
                        'accurate (default: 0)')
    parser.add_argument('--sampled', action='store_true', help='evaluate free energies at '
                        'samples of beliefs, as in learning (default: at their means, where '
                        'slots begin at seeds)')
    parser.add_argument('--batch', type=positive, default=32)
    add_device(parser)
    add_precision(parser)
    add_threads(parser)
    parser.add_argument('--json', type=output_file, help='write the scores to this file')


def run(args: argparse.Namespace) -> int:
    from obai_ros.model.checkpoint import checkpoint_path, CheckpointError, load_checkpoint
    from obai_ros.model.device import choose_device, choose_precision
    from obai_ros.progress import Progress
    from obai_ros.training.dataset import generate_dataset
    from obai_ros.training.endurance import endurance, format_endurance, FRAMES
    from obai_ros.training.evaluation import evaluate_dataset, format_table
    from obai_ros.training.identity import identity_over_time, SEQUENCES
    from obai_ros.training.recorded import recorded_dataset
    from obai_ros.training.scenes import scenes_of
    from obai_ros.whole_file import write_json

    use_threads(args.threads)
    try:
        useless = [name for name in ('image-topic', 'resize')
                   if getattr(args, name.replace('-', '_')) and not args.dataset]
        if useless:
            raise ValueError(f'--{useless[0]} is about recordings: give them with --data')
        path = checkpoint_path(args.checkpoint)
        device = choose_device(args.device)
        precision, warning = choose_precision(args.precision, device, emulate=True)
        if warning:
            print(f'obai evaluate: {warning}', file=sys.stderr)
        checkpoint = load_checkpoint(path, device, precision)
        if args.dataset:
            dataset = recorded_dataset(args.dataset, checkpoint.config.image_size,
                                       args.image_topic, args.resize or 'crop'
                                       ).first(args.sequences)
        else:
            dataset = generate_dataset(scenes_of(checkpoint), args.sequences, 8, args.seed)
        watching = checkpoint.schedule.careful().changed(
            iterations=args.iterations or None, window=args.window or None, descent=args.descent,
            sampled=args.sampled or None)
        schedule = watching.changed(starts=args.starts or None, births=args.births)
        with Progress(f'obai evaluate: {path.name}', dataset.sequences, 'sequences') as advance:
            report = evaluate_dataset(checkpoint.model, dataset, schedule, batch=args.batch,
                                      progress=advance)
    except (CheckpointError, ValueError) as error:
        print(f'obai evaluate: {error}', file=sys.stderr)
        return 2
    report.update(checkpoint=str(path), model_id=checkpoint.model_id, precision=precision,
                  iterations=schedule.iterations, first_iterations=schedule.first_iterations,
                  window=schedule.window, starts=schedule.starts, births=schedule.births,
                  sampled=schedule.sampled, descent=schedule.descent)
    print(format_table(report))
    if args.identity:
        with Progress('obai evaluate --identity', SEQUENCES, 'sequences') as advance:
            report['identity'] = identity_over_time(checkpoint, watching, progress=advance)
        print(f"objects stay in their slots in {report['identity']['same_slot']:.1%} of "
              f"{report['identity']['steps']} steps from frame to frame")
    if args.streams:
        with Progress('obai evaluate --streams', FRAMES, 'frames') as advance:
            report['streams'] = endurance(checkpoint, watching, args.streams, progress=advance)
        print(format_endurance(report['streams']))
    if args.json:
        write_json(args.json, report)
    return 0
