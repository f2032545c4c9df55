# SPDX-License-Identifier: Apache-2.0
"""`obai benchmark`: what perception and learning cost on this machine."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

SUMMARY = 'measure operations, milliseconds per frame, sequences per second, memory'


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--flops', action='store_true',
                        help='print the operations of each preset and stop')
    parser.add_argument('--endless', type=int, metavar='FRAMES',
                        help='watch noise for so many frames, check memory, and stop')
    parser.add_argument('--preset', choices=('fast', 'paper', 'smoke'), default='fast')
    parser.add_argument('--precision', choices=('float32', 'bfloat16'), default='float32')
    parser.add_argument('--iterations', type=int, default=4)
    parser.add_argument('--window', type=int, default=2)
    parser.add_argument('--batch', type=int, default=1, help='streams watched at once')
    parser.add_argument('--frames', type=int, default=200)
    parser.add_argument('--device', default='cpu', help='auto, cpu, cuda or cuda:N')
    parser.add_argument('--threads', type=int, help='CPU threads (default: all cores)')
    parser.add_argument('--json', type=Path, help='write the figures to this file')


def run(args: argparse.Namespace) -> int:
    import torch

    from obai_ros.benchmark import timing
    from obai_ros.benchmark.planning import time_planning
    from obai_ros.benchmark.operations import count_operations, format_operations
    from obai_ros.model.device import choose_device
    from obai_ros.model.config import PRESETS, ModelConfig
    from obai_ros.model.inference import Schedule
    from obai_ros.model.obai import Obai
    from obai_ros.training.recipe import preset_path, read_recipe
    from obai_ros.whole_file import write_json

    if args.flops:
        print(format_operations([name for name in PRESETS if name != 'smoke']))
        return 0
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        device = choose_device(args.device)
        schedule = Schedule(args.iterations, None, args.window)
    except ValueError as error:
        print(f'obai benchmark: {error}', file=sys.stderr)
        return 2
    config = ModelConfig.named(args.preset)
    report = timing.machine(device)
    if args.endless:
        report.update(timing.endless(config, args.endless))
    else:
        torch.manual_seed(0)
        model = Obai(config, args.precision).to(device)
        report.update(
            preset=args.preset, precision=args.precision, iterations=args.iterations,
            window=args.window, batch=args.batch,
            perception_ms_per_frame=timing.time_perception(
                model, args.iterations, args.window, args.frames, args.batch),
            planning_ms_per_frame=time_planning(config.num_slots, config.latent_size),
            operations_per_frame=count_operations(config).per_frame(config, schedule),
            train_sequences_per_s=timing.time_training(
                read_recipe(preset_path(args.preset)), device),
            environment_sequences_per_s=timing.time_environment(config.image_size))
    report['peak_memory_mb'] = timing.peak_memory_mb()
    for name, value in report.items():
        print(f'{name:30}{value}')
    if args.json:
        write_json(args.json, report)
    return 0
