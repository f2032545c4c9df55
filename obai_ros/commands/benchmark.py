# SPDX-License-Identifier: Apache-2.0
"""`obai benchmark`: what perception and learning cost on this machine."""
from __future__ import annotations

import argparse
from dataclasses import replace
import shlex
import sys

from obai_ros.arguments import (
    add_device, add_nodes, add_precision, add_threads, count, output_file, positive, use_threads)

SUMMARY = 'measure milliseconds per frame, by stage and through the node, operations, memory'

PARTS = ('perception', 'ceiling', 'planner', 'environment', 'training')


def configure(parser: argparse.ArgumentParser) -> None:
    case = parser.add_argument_group('what is measured')
    case.add_argument('--preset', choices=('fast', 'paper', 'smoke'), default='fast')
    case.add_argument('--engine', choices=('auto', 'reference', 'direct', 'compiled', 'graphs'),
                      default='auto', help='what computes the same beliefs; auto: compiled '
                      'where code lies ready (not with --sweep), otherwise graphs on a GPU and '
                      'direct elsewhere, where that can be; compiled: compiles first, for a '
                      'minute or so; graphs: recorded on a GPU, and replayed')
    add_device(case, 'cpu')
    add_precision(case)
    case.add_argument('--iterations', type=positive, default=4, help='default: %(default)s')
    case.add_argument('--window', type=positive, default=2,
                      help='frames refined together (default: %(default)s)')
    case.add_argument('--second-look', type=count, default=0, metavar='FRAMES',
                      help='every so many frames look at one as if it were the first, as '
                      'perception_node does every 4 (default: never)')
    case.add_argument('--descent', type=count, default=0, metavar='N',
                      help='gradient steps that follow the refinements of each frame (default: '
                      'none)')
    case.add_argument('--slots', type=positive, help="K (default: the preset's)")
    case.add_argument('--image-size', type=positive, metavar='PX',
                      help="of the model (default: the preset's)")
    case.add_argument('--batch', type=positive, default=1, metavar='B',
                      help='cameras watched by one filter (default: %(default)s)')
    case.add_argument('--camera', type=_size, metavar='WIDTHxHEIGHT',
                      help="of the image messages, px (default: the model's size)")
    add_threads(case, 0)

    how = parser.add_argument_group('how it is measured')
    how.add_argument('--frames', type=positive, default=200, help='default: %(default)s')
    how.add_argument('--only', type=_parts, default=PARTS, metavar='PART[,PART...]',
                     help=f'of {", ".join(PARTS)} (default: all)')
    how.add_argument('--training-batch', type=positive, metavar='B',
                     help='clips of four frames in each step of learning (default: 16, on a GPU '
                     '256)')
    how.add_argument('--node', action='store_true',
                     help='measure perception_node, in a process of its own, from image to '
                     'beliefs, instead')
    add_nodes(how, '--node', 'out/benchmark/logs')
    how.add_argument('--sweep', type=output_file, metavar='FILE',
                     help='measure cost against slots, window, iterations, image size and number '
                     'of cameras instead, and draw it, PNG')
    how.add_argument('--against', metavar='COMMAND',
                     help='run perception as chosen above and this command in turn instead, each '
                     'in a process, and compare; a command that writes a line `ms per frame '
                     'VALUE` is taken at its word, another is timed from start to end')
    how.add_argument('--command', metavar='COMMAND',
                     help='to compare with --against in place of perception')
    how.add_argument('--pairs', type=positive, default=5,
                     help='of runs with --against (default: %(default)s)')
    how.add_argument('--flops', action='store_true',
                     help='print the operations of each preset and stop')
    how.add_argument('--endless', type=positive, metavar='FRAMES',
                     help='watch noise for so many frames, check memory, and stop')
    how.add_argument('--json', type=output_file, metavar='FILE',
                     help='write the figures to this file')


def run(args: argparse.Namespace) -> int:
    use_threads(args.threads)
    if args.flops:
        from obai_ros.benchmark.operations import format_operations
        from obai_ros.model.config import PRESETS

        print(format_operations([name for name in PRESETS if name != 'smoke']))
        return 0
    try:
        report = _report(args)
        if args.json:
            from obai_ros.whole_file import write_json

            write_json(args.json, report)
    except (OSError, ValueError, RuntimeError, FloatingPointError) as error:
        print(f'obai benchmark: {error}', file=sys.stderr)
        return 2
    return 0


def _report(args) -> dict:
    """Measure what was asked for, print it and return it."""
    from obai_ros.benchmark import table
    from obai_ros.benchmark.case import Case
    from obai_ros.benchmark.machine import machine, peak_memory
    from obai_ros.progress import Progress

    if args.command and not args.against:
        raise ValueError('--command is what --against is compared with: give both')
    instead = [name for name in ('against', 'endless', 'node', 'sweep')
               if getattr(args, name) not in (None, False)]
    if len(instead) > 1:
        raise ValueError(f'--{" and --".join(instead)} are measured one at a time: choose one')
    if args.against is not None and not args.against.strip():
        raise ValueError('--against is empty: expected a command')
    case = Case(args.preset, args.engine, args.device, args.precision, args.iterations,
                args.window, args.second_look, args.slots, args.image_size, args.batch,
                args.camera, args.descent)
    report = {'machine': machine(case.torch_device)}
    if args.against:
        report['comparison'] = _compare(args)
    elif args.endless:
        from obai_ros.benchmark.timing import endless

        with Progress('obai benchmark --endless', args.endless, 'frames') as advance:
            found = endless(case.config, args.endless, advance)
        report['endless'] = {'preset': args.preset, **found}
    elif args.node:
        report['case'] = case.describe()
        report['node'] = _node(args, case)
    else:
        report['case'] = case.describe()
        report.update({'sweep': _sweep(args, case)} if args.sweep else _parts_of(args, case))
        report['peak_memory'] = peak_memory(case.torch_device)
    print('\n'.join(table.lines(report)))
    return report


def _parts_of(args, case) -> dict:
    """Measure perception, machine, planner, environment and learning, as far as asked for."""
    from obai_ros.benchmark import timing
    from obai_ros.benchmark.floors import floors
    from obai_ros.benchmark.perception import time_perception
    from obai_ros.benchmark.planning import time_planning
    from obai_ros.progress import Progress
    from obai_ros.training.recipe import preset_path, read_recipe

    report, only = {}, args.only
    if 'perception' in only:
        with Progress('obai benchmark: perception', 2 * args.frames, 'frames') as advance:
            report['perception'] = time_perception(case, args.frames, progress=advance)
    if 'ceiling' in only:
        report['floors'] = floors(case)
        if 'perception' in only:
            report['floors']['fraction_of_ceiling'] = \
                report['floors']['operations_ms'] / report['perception']['ms_per_frame']['p50']
    if 'planner' in only:
        report['planning_ms'] = time_planning(case.config.num_slots, case.config.latent_size)
    if 'environment' in only:
        report['environment_sequences_per_s'] = timing.time_environment(case.config.image_size)
    if 'training' in only:
        batch = args.training_batch or (16 if case.torch_device.type == 'cpu' else 256)
        recipe = replace(read_recipe(preset_path(args.preset)), precision=case.precision)
        report['training'] = timing.time_training(timing.clips(recipe, batch), case.torch_device)
    return report


def _sweep(args, case) -> dict:
    from obai_ros.benchmark.sweep import BATCHES, VALUES, draw, sweep
    from obai_ros.model.engines.refining import supports

    def progress(setting: str) -> None:
        print(f'measuring cost against {setting}', file=sys.stderr, flush=True)

    if case.engine == 'auto':  # which must not be compiled here and direct there
        case = replace(case, engine='direct' if supports(case.model()[0]) else 'reference')
    found = sweep(case, {**VALUES, 'batch': BATCHES}, args.frames, progress)
    draw(args.sweep, case, found)
    return found


def _node(args, case) -> dict:
    import torch

    from obai_ros.demo.domain import Domain, claim_domain

    with (claim_domain() if args.domain is None else Domain(args.domain)) as domain:
        from obai_ros.nodes.benchmark_node import time_node
        from obai_ros.progress import Progress

        with Progress('obai benchmark --node', args.frames, 'frames') as advance:
            return time_node(case, args.frames, torch.get_num_threads(), domain.number, args.logs,
                             progress=advance)


def _compare(args) -> dict:
    """Run this benchmark's perception, or --command, and --against in turn."""
    from obai_ros.benchmark.comparison import compare, split

    own = _perception(args)
    first = split(args.command) if args.command else [sys.executable, '-m', 'obai_ros.cli', *own]
    second = split(args.against)

    def progress(pair: int) -> None:
        print(f'pair {pair + 1} of {args.pairs}', file=sys.stderr, flush=True)

    summary = compare(first, second, args.pairs, progress).summary()
    return {'a': args.command or shlex.join(['obai', *own]), 'b': args.against, **summary}


def _perception(args) -> list[str]:
    """Return the arguments of `obai` that measure perception alone as these say."""
    words = ['benchmark', '--only', 'perception']
    for name in ('preset', 'engine', 'device', 'precision', 'iterations', 'window', 'second_look',
                 'descent', 'slots', 'image_size', 'batch', 'threads', 'frames'):
        value = getattr(args, name)
        if value is not None:
            words += [f'--{name.replace("_", "-")}', str(value)]
    return words + (['--camera', '{}x{}'.format(*args.camera)] if args.camera else [])


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition('x')
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f'{text} is no size, expected for instance 640x480')
    return int(width), int(height)


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(','))
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise argparse.ArgumentTypeError(f'{", ".join(unknown)}: expected {", ".join(PARTS)}')
    return parts
