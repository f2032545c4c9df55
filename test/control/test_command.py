# SPDX-License-Identifier: Apache-2.0
"""`obai control` with a model of random weights: the mechanics, not the success."""
from dataclasses import replace
import json

from PIL import Image
import pytest
import torch

from obai_ros import cli
from obai_ros.environment.scene import sample_scene
from obai_ros.model.checkpoint import default_checkpoint, save_checkpoint
from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.planning.goal_bank import GoalBank


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """Random weights with a bank that gives positions a meaning."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'random.safetensors'
    model_id = save_checkpoint(path, Obai(ModelConfig.named('smoke')), {})
    count = 1000
    position, mean = 32 * torch.rand(count, 2), torch.randn(count, 8)
    mean[:, :2] = 0.1 * (position - 16)
    GoalBank(position, torch.randint(3, (count,)), torch.rand(count, 3), torch.rand(count),
             torch.rand(count), mean, torch.full_like(mean, 0.1), torch.rand(count, 11),
             model_id, (32, 32), ('square', 'ellipse', 'heart')
             ).save(path.with_suffix('.goals.safetensors'))
    return path


@pytest.mark.parametrize('task', ['gather', 'single', 'sort', 'image'])
def test_all_planners_play_the_same_episodes(weights, task, tmp_path, capsys):
    figures, plot = tmp_path / 'figures.json', tmp_path / 'curve.png'
    if task in ('single', 'image'):
        weights = default_checkpoint()  # random ones see no object that could be named
    assert cli.main(['control', '--checkpoint', str(weights), '--task', task, '--planner',
                     'feef,eq14,oracle,none', '--episodes', '3', '--steps', '2', '--batch', '2',
                     '--json', str(figures), '--plot', str(plot)]) == 0
    found = json.loads(figures.read_text())
    assert list(found) == ['feef', 'eq14', 'oracle', 'none']
    assert found['none']['pushes'] == 0 and found['oracle']['pushes'] > 0
    assert {'success_rate_2px', 'success_rate_4px', 'final_distance_px', 'settle_steps',
            'overshoot', 'energy'} <= set(found['feef'])
    assert plot.read_bytes().startswith(b'\x89PNG')
    assert 'oracle: success' in capsys.readouterr().out


def test_a_film_shows_what_a_planner_sees(weights, tmp_path, capsys):
    film = tmp_path / 'film.gif'
    arguments = ['control', '--checkpoint', str(weights), '--task', 'sort', '--episodes', '3',
                 '--steps', '2', '--batch', '2', '--gif', str(film)]
    assert cli.main([*arguments, '--planner', 'none,feef']) == 0
    with Image.open(film) as gif:
        assert gif.n_frames == 2 * 2  # of the first batch
    assert cli.main([*arguments, '--planner', 'none']) == 2
    assert 'none of none sees pixels' in capsys.readouterr().err


def test_figures_of_one_planner_are_not_nested(tmp_path):
    figures = tmp_path / 'figures.json'
    assert cli.main(['control', '--task', 'single', '--planner', 'oracle', '--episodes', '2',
                     '--steps', '8', '--json', str(figures)]) == 0
    assert json.loads(figures.read_text())['planner'] == 'oracle'


def test_bank_of_another_model_is_refused(weights, tmp_path, capsys):
    other = tmp_path / 'other.safetensors'
    torch.manual_seed(1)
    save_checkpoint(other, Obai(ModelConfig.named('smoke')), {})
    bank = weights.with_suffix('.goals.safetensors')
    assert cli.main(['control', '--checkpoint', str(other), '--bank', str(bank)]) == 2
    assert 'belongs to the model' in capsys.readouterr().err


def small_bank(weights, path, shapes):
    """Write a bank that knows fewer shapes, and that only in part."""
    bank = GoalBank.load(weights.with_suffix('.goals.safetensors'))
    replace(bank, shape=bank.shape % len(shapes), shapes=shapes).save(path)
    return path


def test_goals_that_are_refused_are_counted_and_named(weights, tmp_path, capsys):
    bank = small_bank(weights, tmp_path / 'small.safetensors', ('square', 'ellipse'))
    figures = tmp_path / 'figures.json'
    assert cli.main(['control', '--checkpoint', str(weights), '--bank', str(bank), '--task',
                     'sort', '--episodes', '2', '--steps', '2', '--json', str(figures)]) == 0
    found = json.loads(figures.read_text())
    assert (found['goals'], found['refused_goals']) == (6, 2)
    assert "no shape 'heart'" in found['first_refusal']
    assert '2 of 6 goals were refused, the first: ' + found['first_refusal'] in \
        capsys.readouterr().out


def test_episodes_of_which_every_goal_is_refused_are_no_result(weights, tmp_path, capsys):
    bank = small_bank(weights, tmp_path / 'small.safetensors', ('ring',))
    figures = tmp_path / 'figures.json'
    assert cli.main(['control', '--checkpoint', str(weights), '--bank', str(bank), '--task',
                     'sort', '--episodes', '2', '--steps', '2', '--json', str(figures)]) == 2
    assert 'all 6 goals were refused' in capsys.readouterr().err
    assert not figures.exists()


@pytest.mark.parametrize('planner', ['oracle', 'none'])
def test_who_sees_no_pixels_plays_the_scenes_of_the_model_that_is_named(
        weights, planner, tmp_path, capsys, monkeypatch):
    from obai_ros.control import task
    drawn = []

    def sample(config, *others):
        drawn.append(config)
        return sample_scene(config, *others)

    monkeypatch.setattr(task, 'sample_scene', sample)
    alone = tmp_path / 'alone.safetensors'  # without a bank beside it
    torch.manual_seed(2)
    config = replace(ModelConfig.named('smoke'), num_slots=3)
    save_checkpoint(alone, Obai(config), {})
    common = ['control', '--planner', planner, '--episodes', '1', '--steps', '1']
    assert cli.main([*common, '--checkpoint', str(alone)]) == 0
    assert (drawn[0].image_size, drawn[0].num_objects) == (32, 2)
    for words, complaint in (
            (['--checkpoint', str(tmp_path / 'none.safetensors')], 'none.safetensors does not'),
            (['--checkpoint', str(alone), '--bank', str(tmp_path / 'b')], 'there is no goal bank'),
            (['--device', 'moon'], "device is 'moon'")):
        assert cli.main([*common, *words]) == 2
        assert complaint in capsys.readouterr().err


def test_unknown_planner_is_refused(capsys):
    assert cli.main(['control', '--planner', 'luck']) == 2
    assert "there is no planner 'luck'" in capsys.readouterr().err
