# SPDX-License-Identifier: Apache-2.0
"""`obai reproduce`: the paper's table and figures, made again."""
from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from obai_ros.arguments import (
    add_checkpoint, add_device, add_threads, count, output_file, output_folder, positive, seed,
    use_threads)

SUMMARY = "write a page with the paper's Table 1 and Figures 2 to 4, made with a model"


def configure(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    parser.add_argument('--bank', type=Path,
                        help='goal bank (default: the one beside the weights)')
    parser.add_argument('--sequences', type=positive, default=1000,
                        help='fresh videos for Table 1')
    parser.add_argument('--seed', type=seed, default=0, help='of these videos')
    parser.add_argument('--descent', type=count, default=0, metavar='N', help='then let beliefs '
                        'follow the gradient of the free energy for N steps (default: 0)')
    parser.add_argument('--out', type=output_folder, default=Path('out/reproduce'))
    parser.add_argument('--json', type=output_file, metavar='FILE',
                        help='write the figures to this file')
    parser.add_argument('--batch', type=positive, default=32)
    add_device(parser)
    add_threads(parser)


def run(args: argparse.Namespace) -> int:
    from obai_ros.model.checkpoint import checkpoint_path, CheckpointError, load_checkpoint
    from obai_ros.model.device import choose_device
    from obai_ros.planning.bank_command import beside
    from obai_ros.planning.goal_bank import GoalBank, GoalBankError
    from obai_ros.progress import Progress
    from obai_ros.report.history import history, totals
    from obai_ros.report.reproduction import reproduce, show
    from obai_ros.training.dataset import generate_dataset
    from obai_ros.training.evaluation import evaluate_dataset, format_table
    from obai_ros.training.scenes import scenes_of
    from obai_ros.whole_file import write_json

    use_threads(args.threads)
    try:
        path = checkpoint_path(args.checkpoint)
        device = choose_device(args.device)
        checkpoint = load_checkpoint(path, device)
        bank_path = args.bank or beside(path)
        try:
            bank, bankless = GoalBank.load(bank_path, checkpoint.model_id, path).to(device), ''
        except GoalBankError as error:
            if args.bank or bank_path.is_file():
                raise
            bank, bankless = None, str(error)
        dataset = generate_dataset(scenes_of(checkpoint), args.sequences, 8, args.seed)
        schedule = checkpoint.schedule.careful().changed(descent=args.descent)
        legs = history(checkpoint.record)
        shown = show(checkpoint, bank, dataset, schedule, bankless)
        if shown.missing:
            print(f'Figure 4 is left out: {shown.missing}', file=sys.stderr)
        with Progress(f'obai reproduce: {path.name}', dataset.sequences, 'sequences') as advance:
            scores = evaluate_dataset(checkpoint.model, dataset, schedule, batch=args.batch,
                                      progress=advance)
        print(format_table(scores), flush=True)
        page = reproduce(checkpoint, shown, scores, schedule, args.seed, legs, args.out)
    except (CheckpointError, GoalBankError, ValueError) as error:
        print(f'obai reproduce: {error}', file=sys.stderr)
        return 2
    if args.json:
        write_json(args.json, {
            **scores, 'checkpoint': str(path), 'model_id': checkpoint.model_id, 'seed': args.seed,
            'page': str(page), 'operations_per_sequence': shown.operations,
            'operations': shown.operations * scores['sequences'],
            'figure_4_left_out': shown.missing or None,
            'training': {'stages': [asdict(leg) for leg in legs], **totals(legs)}})
    print(f'written: {page}')
    return 0
