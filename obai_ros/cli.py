# SPDX-License-Identifier: Apache-2.0
"""
`obai <command>`: each module of obai_ros.commands is a command.

Such a module has SUMMARY (one line), configure(parser) and run(args) -> exit status, and imports
what is heavy inside run(), so that `obai --help` is instant and needs neither torch nor ROS.
"""

import argparse
import importlib
import pkgutil
import sys

from obai_ros import __version__, commands
from obai_ros.arguments import same_outputs


def main(argv=None) -> int:
    """Run `obai` with these arguments (default: those of the process); return the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog='obai', description='Object-based active inference.',
        epilog='`obai <command> --help` explains a command.')
    parser.add_argument('--version', action='version', version=f'obai {__version__}')
    table = parser.add_subparsers(metavar='<command>', required=True)
    modules = {module.name.replace('_', '-'): f'{commands.__name__}.{module.name}'
               for module in pkgutil.iter_modules(commands.__path__)}
    if argv and argv[0] in modules:  # the others may need what this one does not
        modules = {argv[0]: modules[argv[0]]}
    for name, path in modules.items():
        module = importlib.import_module(path)
        command = table.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.configure(command)
        command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    command = table.choices[argv[0]]
    same = same_outputs(command, args)
    if same:
        command.error(same)
    try:
        return args.run(args)
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        return _lacking(argv[0], error)
    except OSError as error:  # a disk that is full, a file that is gone
        print(f'obai {argv[0]}: {error}', file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        return _too_large(argv[0], error)


def _too_large(command, error) -> int:
    """Say that there is not enough memory, unless it is another error that torch raised."""
    text = str(error)
    if not isinstance(error, MemoryError) and not any(
            words in text for words in ('DefaultCPUAllocator', 'out of memory')):
        raise error
    first = text.splitlines()[0] if text else 'more was asked for than there is'
    print(f'obai {command}: this takes more memory than there is ({first}): ask for less, or for '
          f'less at once', file=sys.stderr)
    return 2


def _lacking(command, error) -> int:
    """Say which package a command lacks, unless it is a module that we should have written."""
    package = error.name.partition('.')[0]
    if package == __package__ and error.name not in (f'{package}.msg', f'{package}.srv'):
        raise error
    what = f'the messages of {package} (they are made when it is built)' \
        if package == __package__ else f'the Python package {package}'
    print(f'obai {command}: this needs {what}, which is not here: use the .venv that `make setup` '
          f'makes, or source your ROS 2 workspace and `pip install -r requirements.txt`',
          file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main())
