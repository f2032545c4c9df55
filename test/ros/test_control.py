# SPDX-License-Identifier: Apache-2.0
"""`obai control --ros`: the real nodes do what the batch does, to the last bit that matters."""
import json
import os
from pathlib import Path
import subprocess
import sys

from obai_ros import cli
import pytest


@pytest.mark.parametrize('task, episodes', [('sort', 2), ('image', 1)])
def test_nodes_and_batch_play_the_same_episodes(task, episodes, tmp_path):
    """With the bundled weights: random ones see nothing that could be pushed.

    Goals are set before the first frame (sort) and after it (image).
    """
    figures = tmp_path / 'figures.json'
    answer = subprocess.run(
        [sys.executable, '-m', 'obai_ros.cli', 'control', '--ros', '--task', task, '--episodes',
         str(episodes), '--steps', '4', '--seed', '5', '--json', str(figures), '--logs',
         str(tmp_path / 'logs')], capture_output=True, text=True, timeout=240)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    same = f'{task}: {episodes} of {episodes} episodes went through the nodes as in the batch'
    assert same in answer.stdout
    found = json.loads(figures.read_text())
    assert found['agree'] and (found['episodes'], found['steps']) == (episodes, 4)
    assert found['pushes'] > 2


def test_the_nodes_have_the_bank_that_was_named(weights, tmp_path, monkeypatch, capsys):
    from obai_ros.nodes import control_loop
    bank = tmp_path / 'mine.safetensors'
    bank.write_bytes(Path(weights).with_suffix('.goals.safetensors').read_bytes())
    started = {}

    def start(self, node, command, environment):
        started[node] = command
        if node == 'planner_node':
            raise RuntimeError('that will do')

    monkeypatch.setattr(control_loop.Supervisor, 'start', start)
    monkeypatch.setattr(os, 'environ', {**os.environ})  # the command prepares that of ROS
    monkeypatch.chdir(tmp_path)
    assert cli.main(['control', '--ros', '--episodes', '1', '--checkpoint', weights, '--bank',
                     'mine.safetensors', '--device', 'cpu']) == 2
    assert capsys.readouterr().err == 'obai control: that will do\n'
    assert f'goal_bank:="{bank}"' in started['planner_node']


def test_a_broken_loop_is_one_sentence(weights, tmp_path):
    bank = tmp_path / 'none.safetensors'
    answer = subprocess.run(
        [sys.executable, '-m', 'obai_ros.cli', 'control', '--ros', '--episodes', '1',
         '--checkpoint', str(weights), '--bank', str(bank)],
        capture_output=True, text=True, timeout=240)
    assert answer.returncode == 2
    assert answer.stderr.startswith('obai control: there is no goal bank')
    assert answer.stderr.count('\n') == 1
