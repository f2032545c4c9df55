# SPDX-License-Identifier: Apache-2.0
"""The page is whole and says what it is given."""
import json
import re
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from obai_ros import cli
from obai_ros.environment.scene import SceneConfig
from obai_ros.model.checkpoint import Checkpoint, save_checkpoint
from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.model.schedule import Schedule
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.report.history import history
from obai_ros.report.page import Page
from obai_ros.report.reproduction import reproduce, show
from obai_ros.training.dataset import generate_dataset
from obai_ros.training.evaluation import evaluate_dataset


@pytest.fixture(scope='module')
def checkpoint():
    torch.manual_seed(0)
    model = Obai(ModelConfig.named('smoke')).eval()
    record = {'stage': 'fine', 'step': 7, 'sequences': 28, 'seconds': 120.0, 'hardware': 'a toy',
              'before': {'stage': 'coarse', 'step': 5, 'sequences': 20}}
    return Checkpoint(model, model.config, 'abc', Schedule(1, None, 2), record)


def random_bank(config, count=3000):
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.rand(shape, generator=generator)
    return GoalBank(position=32 * random(count, 2), shape=torch.zeros(count, dtype=torch.int64),
                    colour=random(count, 3), size=random(count), orientation=random(count),
                    mean=random(count, config.latent_size), sd=0.1 + random(count, 8),
                    traits=random(count, 11), model_id='abc', image_size=(32, 32),
                    shapes=('square',))


@pytest.mark.parametrize('with_bank', [True, False])
def test_the_page_has_the_table_and_all_figures(checkpoint, tmp_path, with_bank):
    dataset = generate_dataset(SceneConfig(image_size=32), 6, 6, seed=0)
    scores = evaluate_dataset(checkpoint.model, dataset, checkpoint.schedule)
    bank = random_bank(checkpoint.config) if with_bank else None
    shown = show(checkpoint, bank, dataset, checkpoint.schedule, 'there is no bank')
    path = reproduce(checkpoint, shown, scores, checkpoint.schedule, 3, history(
        checkpoint.record), tmp_path)
    text = path.read_text()
    assert f"{scores['ari']:.3f}" in text and '0.948' in text and '9.51e-04' in text
    assert re.findall(r'<td>(coarse|fine)</td><td>(\d+)</td>', text) == [
        ('coarse', '5'), ('fine', '7')]
    assert '6 fresh sequences of seed 3' in text
    figures = {'figure2', 'figure3', 'figure3_mse'} | ({'figure4'} if with_bank else set())
    assert {file.stem for file in tmp_path.glob('*.png')} == figures
    assert text.count('data:image/png;base64,') == len(figures)
    assert ('Left out: there is no bank.' in text) != with_bank
    assert '6 sequences are few: such scores are rough' in text
    # Self-contained: nothing is loaded from anywhere else.
    assert not re.search(r'(src|href)="(?!data:)', text)


def test_what_no_stage_tells_has_no_column_of_question_marks(checkpoint, tmp_path):
    """As of networks that were taught; and scores of many sequences are not called rough."""
    dataset = generate_dataset(SceneConfig(image_size=32), 4, 4, seed=0)
    scores = evaluate_dataset(checkpoint.model, dataset, checkpoint.schedule)
    shown = show(checkpoint, None, dataset, checkpoint.schedule)
    legs = history({'stage': 'taught', 'seed': 6, 'steps': 3, 'sequences': 6, 'seconds': 60})

    def text_about(legs):
        return reproduce(checkpoint, shown, {**scores, 'sequences': 300}, checkpoint.schedule, 0,
                         legs, tmp_path).read_text()

    text = text_about(legs)
    assert '<td>taught</td><td>3</td><td>6</td><td>6</td><td>1 min</td>' in text
    assert 'In all 3 steps, 6 sequences, 1 min. The paper: 12 million' in text
    assert 'FLOPs' not in text and '?' not in text and 'are rough' not in text
    text = text_about([*legs, replace(legs[0], operations=1000)])
    assert 'FLOPs per sequence' in text and '6.00e+03 floating-point operations in 1 of 2' in text


@pytest.fixture
def saved(checkpoint, tmp_path):
    """Return the path of a copy of the weights, and a function that changes D of them."""
    path = tmp_path / 'mine.safetensors'

    def save(D=None):
        model = deepcopy(checkpoint.model)
        if D is not None:
            model.dynamics.D.data[:] = D
        model_id = save_checkpoint(path, model, checkpoint.record, checkpoint.schedule)
        return path, replace(random_bank(model.config), model_id=model_id)
    return save


@pytest.mark.parametrize('D, objects, reason', [
    (0.0, 3000, 'D of this model is singular'), (None, 20, 'effective samples, at least 5')])
def test_figure_4_is_left_out_with_the_reason_known_before_the_evaluation(
        saved, tmp_path, capsys, D, objects, reason):
    path, bank = saved(D)
    bank.first(objects).save(path.with_suffix('.goals.safetensors'))
    figures = tmp_path / 'figures.json'
    assert cli.main(['reproduce', '--checkpoint', str(path), '--sequences', '4', '--seed', '2',
                     '--device', 'cpu', '--out', str(tmp_path / 'out'), '--json',
                     str(figures)]) == 0
    found = json.loads(figures.read_text())
    assert (found['sequences'], found['seed'], found['model_id']) == (4, 2, bank.model_id)
    assert found['operations'] == 4 * found['operations_per_sequence'] > 0
    assert reason in found['figure_4_left_out'] and found['training']['steps'] == 12
    assert reason in capsys.readouterr().err
    text = (tmp_path / 'out' / 'report.html').read_text()
    assert 'Left out: ' in text and reason in text and 'ARI' in text
    assert not (tmp_path / 'out' / 'figure4.png').exists()


def test_a_record_that_is_none_is_refused_before_any_work(saved, tmp_path, capsys):
    path, _ = saved()
    description = json.loads(path.with_suffix('.json').read_text())
    path.with_suffix('.json').write_text(json.dumps({**description, 'record': 'a word'}))
    assert cli.main(['reproduce', '--checkpoint', str(path), '--out', str(tmp_path / 'out')]) == 2
    assert "its record is 'a word', expected values by name" in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    page = Page('a page', tmp_path / 'out')
    page.picture('one', torch.zeros(3, 2, 2), 'black')
    assert not (tmp_path / 'out').exists()
    synced = []

    def full_disk(_):
        synced.append(1)
        if len(synced) > 1:
            raise OSError(28, 'No space left on device')

    monkeypatch.setattr('obai_ros.whole_file.os.fsync', full_disk)
    with pytest.raises(OSError, match='No space left'):
        page.write()
    assert not list((tmp_path / 'out').iterdir())


def test_text_is_escaped(tmp_path):
    page = Page('a < b', tmp_path)
    page.paragraph('x & y')
    page.table(['<i>'], [['1 < 2']])
    text = page.write().read_text()
    assert 'a &lt; b' in text and 'x &amp; y' in text and '1 &lt; 2' in text
    assert '<i>' not in text
