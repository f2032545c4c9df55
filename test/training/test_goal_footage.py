# SPDX-License-Identifier: Apache-2.0
"""Goals from recordings: with the bundled weights, of pictures whose objects are known here."""
import json

import numpy as np
import pytest
import torch

from obai_ros import cli
from obai_ros.model.checkpoint import default_checkpoint, load_checkpoint
from obai_ros.planning.goal_bank import GoalBank, GoalBankError
from obai_ros.planning.preference import GoalError
from obai_ros.recording.footage import Footage
from obai_ros.training import goal_learning
from obai_ros.training.dataset import Dataset, write_dataset
from obai_ros.training.goal_footage import FootageScenes, moved
from obai_ros.training.goal_learning import GoalLearning, GoalLearningError, learn_goals

SIDE = 64
QUICK = GoalLearning(objects=20, batch=8, iterations=2)


def picture(x, y):
    """Return a red square of 12 px about (x, y) px on a plain ground."""
    image = np.full((SIDE, SIDE, 3), 110, np.uint8)
    image[y - 6:y + 6, x - 6:x + 6] = 230, 30, 40
    return image


def footage(*pictures):
    images = np.stack(pictures)
    return Footage(images, None, np.zeros(len(images), np.int64), np.zeros(0, np.int64),
                   np.zeros((0, 4), np.float32))


@pytest.fixture(scope='module')
def checkpoint():
    torch.set_num_threads(1)
    return load_checkpoint(default_checkpoint())


def test_a_picture_is_moved_and_its_border_drawn_out():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1).repeat(3, -1)
    assert moved(image, 0, 0).tolist() == image.tolist()
    right = moved(image, 2, -1)[..., 0]
    assert right.tolist() == [[4, 4, 4, 5], [8, 8, 8, 9], [8, 8, 8, 9]]
    assert (moved(image, -9, 9) == image[0, -1]).all()


def test_an_object_is_where_its_mask_is_wherever_the_picture_was_moved(checkpoint):
    scenes = FootageScenes(footage(picture(32, 32)))
    bank = scenes(checkpoint, QUICK, 0)
    # Of the eight pictures those in which nothing of the square was moved out of sight.
    chance = np.random.default_rng([0, 0])
    chance.integers(1, size=8)
    middles = 32 + chance.integers(-32, 33, size=(8, 2))
    true = middles[((middles > 6) & (middles < SIDE - 6)).all(-1)]
    assert len(true) > 3
    torch.testing.assert_close(bank.position.sort(0).values,
                               torch.from_numpy(true).float().sort(0).values, atol=.5, rtol=0)
    assert (bank.colour == torch.tensor([.9, .1, .15])).all()
    assert (bank.size - 12).abs().max() <= .5
    assert (bank.shapes, bank.model_id) == (('object',), checkpoint.model_id)
    assert torch.equal(scenes(checkpoint, QUICK, 0).mean, bank.mean)
    assert not torch.equal(scenes(checkpoint, QUICK, 1).position[:3], bank.position[:3])


def test_scenes_are_told_apart_by_what_is_in_them():
    names = {FootageScenes(footage(picture(x, 32))).name for x in (20, 21)}
    assert len(names) == 2
    assert FootageScenes(footage(picture(20, 32))).name in names


def test_where_nothing_shows_whole_nothing_is_learned(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(goal_learning, 'PATIENCE', 8)  # scenes
    plain = FootageScenes(footage(np.full((SIDE, SIDE, 3), 110, np.uint8)))
    with pytest.raises(GoalLearningError, match='found 0 of .* objects: .* record objects'):
        learn_goals(checkpoint, QUICK, tmp_path / 'none.goals.safetensors', source=plain)
    assert not list(tmp_path.iterdir())


def test_the_command_makes_a_bank_that_goals_can_be_set_with(checkpoint, tmp_path, capsys):
    places = np.random.default_rng(0).integers(16, 48, size=(40, 2))
    images = np.stack([picture(x, y) for x, y in places])[None]
    write_dataset(tmp_path / 'mine.npz', Dataset(
        images, np.zeros(images.shape[:-1], np.uint8), np.zeros((0, 6), np.float32)))
    path, figures = tmp_path / 'mine.goals.safetensors', tmp_path / 'figures.json'
    assert cli.main(['learn-goals', '--data', str(tmp_path / 'mine.npz'), '--objects', '30',
                     '--batch', '16', '--iterations', '2', '--out', str(path), '--device', 'cpu',
                     '--json', str(figures)]) == 0
    assert 'mine.npz: 40 frames' in capsys.readouterr().out
    assert json.loads(figures.read_text())['readout_rmse_px'] < 3
    bank = GoalBank.load(path, checkpoint.model_id)
    goal = bank.toward((30., 34.), 12.)
    assert (bank.locate(goal.mean) - torch.tensor([30., 34.])).norm() < 3
    with pytest.raises(GoalError, match="no shape 'heart'; the bank knows object"):
        bank.select(shape='heart')
    with pytest.raises(GoalBankError):
        GoalBank.load(path, 'another')


def test_options_of_recordings_without_any_are_refused(capsys):
    assert cli.main(['learn-goals', '--resize', 'crop']) == 2
    assert '--resize is about recordings: give them with --data' in capsys.readouterr().err


def test_recordings_that_are_not_there_are_a_sentence(tmp_path, capsys):
    assert cli.main(['learn-goals', '--data', str(tmp_path / 'none'), '--out',
                     str(tmp_path / 'x.safetensors')]) == 2
    assert f'obai learn-goals: {tmp_path / "none"} does not exist' in capsys.readouterr().err
