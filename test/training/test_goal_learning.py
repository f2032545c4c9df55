# SPDX-License-Identifier: Apache-2.0
"""Goal learning with a model of random weights, which finds objects by accident only."""
from dataclasses import replace
import json

import pytest
import torch

from obai_ros import cli
from obai_ros.model.checkpoint import load_checkpoint, save_checkpoint
from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.planning.goal_bank import COLUMNS, GoalBank, GoalBankError
from obai_ros.training import goal_learning
from obai_ros.training.goal_learning import GoalLearning, GoalLearningError, learn_goals, Simulated

QUICK = GoalLearning(objects=20, batch=4, frames=2, iterations=1)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    model = Obai(ModelConfig.named('smoke'))
    path = tmp_path_factory.mktemp('weights') / 'random.safetensors'
    save_checkpoint(path, model, {})
    return load_checkpoint(path)


@pytest.fixture
def lucky(monkeypatch):
    """Take slot n for object n, whatever it shows."""
    def matched(masks, labels, objects, background):
        return torch.arange(objects).expand(len(masks), -1), None

    monkeypatch.setattr(goal_learning, 'matched_slots', matched)
    original = goal_learning.Filter.step

    def step(self, *arguments):
        state, percept = original(self, *arguments)
        percept.empty[:] = False
        percept.empty[:, 0] = True                    # one of the three is not seen
        return state, percept

    monkeypatch.setattr(goal_learning.Filter, 'step', step)


def test_bank_pairs_true_states_with_beliefs(lucky, checkpoint, tmp_path):
    path = tmp_path / 'random.goals.safetensors'
    seen = []
    bank = learn_goals(checkpoint, QUICK, path, lambda *counts: seen.append(counts))
    assert len(bank) == 20 and bank.mean.shape == (20, 8)
    assert (bank.sd > 0).all() and torch.isfinite(bank.mean).all()
    assert bank.image_size == (32, 32) and bank.shapes == ('square', 'ellipse', 'heart')
    assert seen == [(8, 4), (16, 8), (20, 12)]      # two objects of each of four scenes
    read = GoalBank.load(path, checkpoint.model_id)
    assert all(torch.equal(getattr(read, name), getattr(bank, name)) for name in COLUMNS)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_interrupted_learning_goes_on_where_it_was(lucky, checkpoint, tmp_path):
    whole = learn_goals(checkpoint, QUICK, tmp_path / 'whole.goals.safetensors')
    path = tmp_path / 'resumed.goals.safetensors'

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn_goals(checkpoint, QUICK, path, interrupt)
    assert not path.exists()
    observed = []

    class Spied(Simulated):
        def __call__(self, checkpoint, settings, number):
            observed.append(number)
            return super().__call__(checkpoint, settings, number)

    resumed = learn_goals(checkpoint, QUICK, path, source=Spied())
    assert observed == [1, 2]
    assert all(torch.equal(getattr(resumed, name), getattr(whole, name)) for name in COLUMNS)


def test_model_that_finds_nothing_is_given_up(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(goal_learning, 'PATIENCE', 8)
    with pytest.raises(GoalLearningError, match='found 0 of 24 objects: .* train it further'):
        learn_goals(checkpoint, QUICK, tmp_path / 'none.goals.safetensors')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('setting', [{'objects': 0}, {'objects': 19}, {'frames': 0},
                                     {'iterations': 0}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match=f'{next(iter(setting))} is'):
        GoalLearning(**setting)


def test_command_refuses_fewer_objects_than_a_goal_rests_on(checkpoint, tmp_path, capsys):
    weights = tmp_path / 'random.safetensors'
    save_checkpoint(weights, checkpoint.model, {})
    assert cli.main(['learn-goals', '--checkpoint', str(weights), '--objects', '1']) == 2
    assert 'obai learn-goals: objects is 1: expected at least 20' in capsys.readouterr().err
    assert not list(tmp_path.glob('*goals*'))


def test_a_bank_of_beliefs_that_are_all_alike_is_not_written(lucky, checkpoint, tmp_path):
    class Alike(Simulated):
        def __call__(self, *arguments):
            bank = super().__call__(*arguments)
            return replace(bank, mean=torch.ones_like(bank.mean))

    path = tmp_path / 'alike.goals.safetensors'
    with pytest.raises(GoalBankError, match='about the 20 objects of the bank, because they are'):
        learn_goals(checkpoint, QUICK, path, source=Alike())
    assert not path.exists()


def test_command_says_why_it_cannot(tmp_path, capsys):
    missing = tmp_path / 'no.safetensors'
    assert cli.main(['learn-goals', '--checkpoint', str(missing)]) == 2
    assert f'obai learn-goals: {missing} does not exist' in capsys.readouterr().err


def test_command_writes_the_bank_and_its_figures(lucky, checkpoint, tmp_path, capsys):
    weights, figures = tmp_path / 'random.safetensors', tmp_path / 'figures.json'
    save_checkpoint(weights, checkpoint.model, {})
    assert cli.main(['learn-goals', '--checkpoint', str(weights), '--objects', '20', '--batch',
                     '4', '--frames', '1', '--iterations', '1', '--json', str(figures)]) == 0
    assert (tmp_path / 'random.goals.safetensors').is_file()
    assert json.loads(figures.read_text())['objects'] == 20
    assert '20 objects written to' in capsys.readouterr().out


def test_command_replaces_a_bank_only_where_it_is_told_to(lucky, checkpoint, tmp_path, capsys):
    weights, bank = tmp_path / 'random.safetensors', tmp_path / 'random.goals.safetensors'
    save_checkpoint(weights, checkpoint.model, {})
    bank.write_bytes(b'dear')
    command = ['learn-goals', '--checkpoint', str(weights), '--objects', '20', '--batch', '4',
               '--frames', '1', '--iterations', '1']
    assert cli.main(command) == 2
    assert bank.read_bytes() == b'dear'
    assert f'{bank} is there already: --force replaces it' in capsys.readouterr().err
    assert cli.main([*command, '--force']) == 0
    assert len(GoalBank.load(bank, checkpoint.model_id)) == 20
    bank.write_bytes(b'cheap')
    assert cli.main([*command, '--out', str(bank)]) == 0
    assert len(GoalBank.load(bank, checkpoint.model_id)) == 20
    capsys.readouterr()
    assert cli.main([*command, '--out', str(weights)]) == 2
    load_checkpoint(weights)
    assert f'{weights} is the file of the weights, ' in capsys.readouterr().err
