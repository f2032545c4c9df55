# SPDX-License-Identifier: Apache-2.0
"""Arguments that cannot be are refused in a sentence before any work begins."""
import argparse
import importlib
import os
import pkgutil
import re

from obai_ros import arguments, commands
from obai_ros.cli import main
import pytest

COMMANDS = [module.name for module in pkgutil.iter_modules(commands.__path__)]


@pytest.mark.parametrize('kind, good, bad, words', [
    (arguments.positive, '3', ('0', '-2', '1.5', 'abc', '1e99'), 'a whole number from 1 to'),
    (arguments.count, '0', ('-1', ''), 'a whole number from 0 to'),
    (arguments.domain, '232', ('233', '-1'), 'is not a ROS domain'),
    (arguments.more_than_zero, 'inf', ('0', '-1', 'nan', 'abc'), 'is not a number above 0'),
    (arguments.at_least_zero, '0', ('-1', 'nan', 'abc'), 'is not a number of 0 or more'),
    (arguments.number(-1, 9), '-1', ('-1.1', '9.1', 'nan', 'inf', 'abc'),
     'is not a number from -1 to 9')])
def test_numbers(kind, good, bad, words):
    assert kind(good) == float(good)
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=f'{re.escape(repr(text))}.*{words}'):
            kind(text)


def test_outputs_that_cannot_be_written(tmp_path):
    file = tmp_path / 'file'
    file.write_text('')
    assert arguments.output_file(str(file)) == file
    assert arguments.output_file(str(tmp_path / 'new' / 'x')) == tmp_path / 'new' / 'x'
    assert arguments.output_folder(str(tmp_path / 'a' / 'b')) == tmp_path / 'a' / 'b'
    assert not (tmp_path / 'new').exists() and not (tmp_path / 'a').exists()
    for kind, path, words in (
            (arguments.output_file, file / 'x', f'{file} is no folder'),
            (arguments.output_file, tmp_path, 'is a folder: expected the name of a file'),
            (arguments.output_folder, file, f'{file} is no folder')):
        with pytest.raises(argparse.ArgumentTypeError, match=words):
            kind(str(path))
    if os.geteuid():  # root may write anywhere
        tmp_path.chmod(0o500)
        with pytest.raises(argparse.ArgumentTypeError, match='you may not write to'):
            arguments.output_file(str(tmp_path / 'x'))


def test_a_device_may_be_written_to():
    assert str(arguments.output_file('/dev/stdout')) == '/dev/stdout'
    parser = argparse.ArgumentParser()
    for name in ('--json', '--plot'):
        parser.add_argument(name, type=arguments.output_file)
    for path, same in (('/dev/null', ''), ('x', '--json and --plot are both x: expected a file '
                                           'for each')):
        args = parser.parse_args(['--json', path, '--plot', path])
        assert arguments.same_outputs(parser, args) == same


@pytest.mark.parametrize('line, words', [
    ('evaluate --sequences -2', "--sequences: '-2' is not a number of things"),
    ('evaluate --image-topic foo', '--image-topic is about recordings'),
    ('evaluate --resize stretch', '--resize is about recordings: give them with --data'),
    ('train --image-topic /x', '--image-topic is about recordings: give them with --data'),
    ('train --resize crop', '--resize is about recordings: give them with --data'),
    ('train --preset smoke --recipe x.yaml', 'not allowed with argument'),
    ('train --threads -1', "--threads: '-1' is not a number of threads"),
    ('train --validate-every 0', '--validate-every'),
    ('train --device meta', "device is 'meta': expected auto, cpu, cuda or cuda:N"),
    ('train --resume --weights x.safetensors', '--resume goes on with what is there, --weights'),
    ('train --device cuda:1 --devices 2', '--device cuda:1 is one device, and --devices asks'),
    ('train --resume --pilots 3', '--resume goes on with what is there, --pilots'),
    ('generate noext', 'should end in .npz'),
    ('generate x.npz --sequences 1000000000', 'videos of 8 frames of 64x64 px take 131,072 GB'),
    ('generate y.npz --json y.npz', 'out and --json are both y.npz: expected a file for each'),
    ('control --json x --plot y --gif ./x', '--json and --gif are both x: expected a file for'),
    ('generate x.npz --size 200000', "--size: '200000' is not a size of images"),
    ('control --planner none,foo', "there is no planner 'foo'"),
    ('control --ros --gif x.gif', '--ros compares the planner feef with itself: leave out --gif'),
    ('benchmark --node --endless 3', '--endless and --node are measured one at a time'),
    ('benchmark --against  ', 'expected one argument'),
    ('view --port abc', "--port: 'abc' is not a port"),
    ('demo --domain 999', "--domain: '999' is not a ROS domain")])
def test_commands_refuse_in_a_sentence(line, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        assert main(line.split()) == 2
    except SystemExit as end:
        assert end.code == 2
    error = capsys.readouterr().err
    assert words in error and 'Traceback' not in error
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_a_sentence(monkeypatch, capsys):
    from obai_ros.commands import average

    def full(args):
        raise OSError(28, 'No space left on device', 'some/file')
    monkeypatch.setattr(average, 'run', full)
    assert main(['average', 'a.safetensors', '--out', 'b.safetensors']) == 2
    assert capsys.readouterr().err == (
        "obai average: [Errno 28] No space left on device: 'some/file'\n")


@pytest.mark.parametrize('module, size', [('numpy', '4.00 PiB'), ('torch', '4503599627370496')])
def test_what_memory_does_not_suffice_for_is_a_sentence(monkeypatch, capsys, module, size):
    from obai_ros.commands import average
    library = importlib.import_module(module)
    monkeypatch.setattr(average, 'run', lambda args: library.zeros(2**52, dtype=library.uint8))
    assert main(['average', 'a.safetensors', '--out', 'b.safetensors']) == 2
    error = capsys.readouterr().err
    assert error.startswith('obai average: this takes more memory than there is (')
    assert size in error and error.endswith('ask for less, or for less at once\n')
    assert error.count('\n') == 1


def test_other_errors_of_the_program_are_not_taken_for_it(monkeypatch):
    from obai_ros.commands import average

    def broken(args):
        raise RuntimeError('shapes do not fit')
    monkeypatch.setattr(average, 'run', broken)
    with pytest.raises(RuntimeError, match='shapes do not fit'):
        main(['average', 'a.safetensors', '--out', 'b.safetensors'])


def test_options_are_the_same_in_all_commands_that_have_them():
    """What they take, what they are without, and what is said of them."""
    told = {}
    for command in COMMANDS:
        parser = argparse.ArgumentParser()
        importlib.import_module(f'obai_ros.commands.{command}').configure(parser)
        for action in parser._actions:
            if action.dest in ('checkpoint', 'device', 'precision', 'threads', 'resize'):
                told.setdefault(action.dest, set()).add((action.type, action.help))
    assert {name: len(ways) for name, ways in told.items()} == dict.fromkeys(told, 1)
    assert told.keys() == {'checkpoint', 'device', 'precision', 'threads', 'resize'}


def test_what_looks_with_small_networks_takes_one_thread_unless_told():
    """Threads wait for each other: two on two busy cores take four times as long as one."""
    def threads(command):
        parser = argparse.ArgumentParser()
        importlib.import_module(f'obai_ros.commands.{command}').configure(parser)
        return parser.get_default('threads')

    assert {command for command in COMMANDS if threads(command) == 1} == {
        'control', 'evaluate', 'learn_goals', 'reproduce'}
    assert {command for command in COMMANDS if threads(command) == 0} == {
        'benchmark', 'teach', 'train'}
