# SPDX-License-Identifier: Apache-2.0
"""The command that errors tell to type makes the bank that is lacking, and spoils no other."""
import shlex

from obai_ros.planning.bank_command import bank_command, beside


def test_it_names_the_weights_that_lie_beside(tmp_path):
    weights = tmp_path / 'v1.2 mine.safetensors'
    bank = beside(weights)
    assert bank.name == 'v1.2 mine.goals.safetensors'
    lacking = ['obai', 'learn-goals', '--checkpoint', 'WEIGHTS', '--out', str(bank)]
    assert shlex.split(bank_command(bank)) == lacking
    weights.write_bytes(b'')
    assert shlex.split(bank_command(bank)) == ['obai', 'learn-goals', '--checkpoint', str(weights)]
    bank.write_bytes(b'')
    assert shlex.split(bank_command(bank))[3:] == [str(weights), '--force']


def test_it_names_the_weights_in_use_and_another_place(tmp_path):
    weights, bank = tmp_path / 'mine.safetensors', tmp_path / 'other.goals.safetensors'
    assert shlex.split(bank_command(bank, weights, larger=True))[2:] == [
        '--checkpoint', str(weights), '--out', str(bank), '--objects', 'N']
    assert bank_command(None) == 'obai learn-goals --checkpoint WEIGHTS'
