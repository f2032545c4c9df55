# SPDX-License-Identifier: Apache-2.0
"""
Arguments that several commands take: what cannot be is refused before any work begins.

Types are to be given to argparse as `type`; what they raise is the sentence that it prints.
"""
from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path


def whole(low: int, high: int, what: str) -> Callable[[str], int]:
    """Return a type for whole numbers in low..high; what: in words, for instance 'a port'."""
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f'{text!r} is not {what}: expected a whole number from {low} to {high}')
        return value
    return parse


positive = whole(1, 10**9, 'a number of things')
count = whole(0, 10**9, 'a number of things')
seed = whole(0, 2**31 - 1, 'a seed')
threads = whole(0, 1024, 'a number of threads')
domain = whole(0, 232, 'a ROS domain')


def more_than_zero(text: str) -> float:
    """Return a number above 0, inf included."""
    value = _number(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number above 0')
    return value


def at_least_zero(text: str) -> float:
    """Return a number of 0 or more, inf included."""
    value = _number(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number of 0 or more')
    return value


def number(low: float, high: float) -> Callable[[str], float]:
    """Return a type for numbers in low..high."""
    def parse(text: str) -> float:
        value = _number(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f'{text!r} is not a number from {low:g} to {high:g}')
        return value
    return parse


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def output_file(text: str) -> Path:
    """Return the path of a file that can be written, now at least; its folder may be missing."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f'{text} is a folder: expected the name of a file')
    return _writable(path, path.parent)


def output_folder(text: str) -> Path:
    """Return the path of a folder that is there, or can be made, and written to."""
    return _writable(Path(text), Path(text))


def same_outputs(parser: argparse.ArgumentParser, args: argparse.Namespace) -> str:
    """
    Return which two arguments name one file, which the later would overwrite; '' if none do.

    What is there and no file, such as /dev/null, takes all that is written to it.
    """
    named: dict[Path, str] = {}
    for action in parser._actions:
        path = getattr(args, action.dest, None)
        if action.type is not output_file or path is None or (
                path.exists() and not path.is_file()):
            continue
        name = '/'.join(action.option_strings) or action.dest
        other = named.setdefault(path.resolve(), name)
        if other != name:
            return f'{other} and {name} are both {path}: expected a file for each'
    return ''


def _writable(path: Path, folder: Path) -> Path:
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f'{path} cannot be written: {folder} is no folder')
    # What is there and no file, such as /dev/stdout, is written to as it is.
    target = path if path.exists() and not path.is_file() else folder
    if not os.access(target, os.W_OK):
        raise argparse.ArgumentTypeError(
            f'{path} cannot be written: you may not write to {target}')
    return path


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add --checkpoint, for `model.checkpoint.checkpoint_path`."""
    parser.add_argument('--checkpoint', type=Path, metavar='FILE',
                        help='weights: a .safetensors file, with .json and goal bank beside, or '
                        'the name of bundled ones, fast, photographs or paper (default: fast)')


def add_device(parser: argparse.ArgumentParser, default: str = 'auto') -> None:
    """Add --device, a name for `model.device.choose_device`."""
    parser.add_argument('--device', default=default,
                        help='auto, cpu, cuda or cuda:N (default: %(default)s)')


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Add --precision, a name for `model.device.choose_precision`."""
    parser.add_argument('--precision', choices=('auto', 'float32', 'bfloat16'), default='auto',
                        help='of the convolutions; auto: bfloat16 where the device computes with '
                        'it, and float32 elsewhere (default: %(default)s)')


def add_threads(parser: argparse.ArgumentParser, default: int = 1) -> None:
    """Add --threads, a number for `use_threads`."""
    parser.add_argument('--threads', type=threads, default=default,
                        help='CPU threads; 0: one per core, which is faster with nothing else '
                        'running, and slower by far where other programs want them, too '
                        '(default: %(default)s)')


def add_node(parser: argparse.ArgumentParser, default: str) -> None:
    """Add --node, which node of a running system to ask."""
    parser.add_argument('--node', default=default, metavar='NAME',
                        help='the node to ask, such as /robot/%(default)s (default: %(default)s)')


def add_nodes(parser: argparse.ArgumentParser, option: str, folder: str) -> None:
    """Add --domain and --logs, of the nodes that are started where `option` is given."""
    parser.add_argument('--domain', type=domain, metavar='ID',
                        help=f'ROS_DOMAIN_ID for {option} (default: one that is free)')
    parser.add_argument('--logs', type=output_folder, default=Path(folder), metavar='FOLDER',
                        help='what the nodes say (default: %(default)s)')


def use_threads(number: int) -> None:
    """Let torch compute with so many threads of the CPU; 0: as many as it likes."""
    if number:
        import torch  # here and not above: it takes seconds, and --help should not
        torch.set_num_threads(number)


def add_photographs(parser: argparse.ArgumentParser) -> None:
    """Declare --photographs."""
    parser.add_argument('--photographs', action='store_true',
                        help='show scenes as a camera would see them: in any colours, lit from '
                        'one side, with shadows, blurred and noisy')


def add_recordings(parser: argparse.ArgumentParser) -> None:
    """Add --image-topic and --resize: how recordings are read (`training.recorded`)."""
    parser.add_argument('--image-topic', default='', metavar='TOPIC',
                        help='which images of a bag (default: those on image_raw, or the only '
                        'ones)')
    parser.add_argument('--resize', choices=('crop', 'letterbox', 'stretch'),
                        help="how recordings are fitted to the model's images (default: crop)")
