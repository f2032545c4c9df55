# SPDX-License-Identifier: Apache-2.0
"""`obai control --ros`: the real nodes do what the batch does, to the last bit that matters."""
import json
import subprocess
import sys

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


def test_a_broken_loop_is_one_sentence(weights, tmp_path):
    bank = tmp_path / 'none.safetensors'
    answer = subprocess.run(
        [sys.executable, '-m', 'obai_ros.cli', 'control', '--ros', '--episodes', '1',
         '--checkpoint', str(weights), '--bank', str(bank)],
        capture_output=True, text=True, timeout=240)
    assert answer.returncode == 2
    assert answer.stderr.startswith('obai control: there is no goal bank')
    assert answer.stderr.count('\n') == 1
