# SPDX-License-Identifier: Apache-2.0
import json
import shlex
import sys

import pytest

from obai_ros import __version__, cli

SMALL = ['benchmark', '--preset', 'smoke', '--precision', 'float32', '--iterations', '1',
         '--frames', '5', '--threads', '1']


def test_a_report_says_what_was_measured_and_on_what(tmp_path, capsys):
    path = tmp_path / 'figures.json'
    assert cli.main([*SMALL, '--only', 'perception,ceiling', '--batch', '2', '--camera', '40x30',
                     '--json', str(path)]) == 0
    found = json.loads(path.read_text())
    assert set(found) == {'machine', 'case', 'perception', 'floors', 'peak_memory'}
    assert found['machine']['threads'] == 1 and found['machine']['obai_ros'] == __version__
    assert {'cpu', 'cores', 'gpu', 'load', 'python', 'torch'} < set(found['machine'])
    assert found['case']['batch'] == 2 and found['case']['camera'] == [40, 30]
    floors, p50 = found['floors'], found['perception']['ms_per_frame']['p50']
    assert 0 < floors['fraction_of_ceiling'] < 1
    assert floors['operations_ms'] == pytest.approx(p50 * floors['fraction_of_ceiling'])
    assert 0 < floors['bytes_ms'] < p50
    assert found['peak_memory']['resident_mb'] > 50
    shown = capsys.readouterr().out
    assert f'ms per frame            {p50:9.3f}' in shown and 'all stages' in shown


def test_parts_are_measured_that_are_asked_for(tmp_path, capsys):
    path = tmp_path / 'figures.json'
    assert cli.main([*SMALL, '--only', 'planner', '--json', str(path)]) == 0
    assert set(json.loads(path.read_text())) == {'machine', 'case', 'planning_ms', 'peak_memory'}
    assert 'ms per answer' in capsys.readouterr().out


def test_perception_is_compared_with_a_command(tmp_path, capsys):
    path = tmp_path / 'figures.json'
    other = shlex.join([sys.executable, '-c', 'print("ms per frame 1e9")'])
    assert cli.main([*SMALL, '--pairs', '1', '--against', other, '--json', str(path)]) == 0
    found = json.loads(path.read_text())['comparison']
    assert found['ratio'] > 1 and found['b_ms'] == 1e9 and found['b'] == other
    assert found['a'].startswith('obai benchmark --only perception --preset smoke')
    assert 'times as long as A' in capsys.readouterr().out


def test_two_commands_are_compared(capsys):
    one, other = (shlex.join([sys.executable, '-c', f'print("ms per frame {ms}")'])
                  for ms in (3, 6))
    assert cli.main(['benchmark', '--pairs', '2', '--command', one, '--against', other]) == 0
    assert 'B takes 2.000 times as long as A (2.000 to 2.000 in 2 pairs; said by' in \
        capsys.readouterr().out


@pytest.mark.parametrize('arguments, sentence', [
    (['--device', 'cuda:9'], 'device cuda:9 is not there'),
    (['--image-size', '50'], 'an image of 50 px'),
    (['--command', 'ls'], '--command is what --against is compared with'),
    (['--against', f'{sys.executable} -c "raise SystemExit(4)"', '--command', 'true'],
     'ended with exit code 4'),
    (['--node', '--batch', '2', '--domain', '1'], 'perception_node watches one camera'),
])
def test_an_error_is_a_sentence(arguments, sentence, capsys):
    if '--node' in arguments:
        pytest.importorskip('obai_ros.msg')
    assert cli.main(['benchmark', *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('obai benchmark: ') and sentence in error


@pytest.mark.parametrize('arguments', [['--only', 'perception,tea'], ['--camera', '640'],
                                       ['--frames', '0']])
def test_an_argument_that_is_none_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        cli.main(['benchmark', *arguments])
    assert 'expected' in capsys.readouterr().err
