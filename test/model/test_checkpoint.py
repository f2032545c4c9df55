# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from obai_ros.model.checkpoint import (checkpoint_path, CheckpointError, default_checkpoint,
                                       load_checkpoint, save_checkpoint)
from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.model.schedule import Schedule


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = Obai(ModelConfig.named('smoke'))
    path = tmp_path / 'smoke.safetensors'
    model_id = save_checkpoint(path, model, {'steps': 3}, Schedule(3, 5, 2))
    return model, path, model_id


def test_what_was_saved_is_loaded(saved):
    model, path, model_id = saved
    checkpoint = load_checkpoint(path)
    assert checkpoint.model_id == model_id and len(model_id) == 16
    assert checkpoint.config == model.config and checkpoint.record == {'steps': 3}
    assert checkpoint.schedule == Schedule(3, 5, 2)
    for name, value in checkpoint.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    assert [file.name for file in path.parent.iterdir() if file.name.startswith('.')] == []


def test_missing_files_are_named(saved, tmp_path):
    _, path, _ = saved
    with pytest.raises(CheckpointError, match='other.safetensors does not exist'):
        load_checkpoint(tmp_path / 'other.safetensors')
    path.with_suffix('.json').unlink()
    with pytest.raises(CheckpointError, match='smoke.json does not exist.*pair of files'):
        load_checkpoint(path)
    with pytest.raises(CheckpointError,
                       match=r'not a .safetensors file: .* \(fast, paper, photographs\)'):
        load_checkpoint(path.with_suffix('.pt'))


def test_truncated_weights_are_refused(saved):
    _, path, _ = saved
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match='damaged or was exchanged'):
        load_checkpoint(path)


def test_weights_of_another_preset_are_refused(saved):
    _, path, _ = saved
    described = path.with_suffix('.json')
    description = json.loads(described.read_text())
    description['config']['channels'] = 16
    described.write_text(json.dumps(description))
    with pytest.raises(CheckpointError, match='do not fit the configuration'):
        load_checkpoint(path)


@pytest.mark.parametrize('text, why', [
    ('', 'Expecting value'), ('{}', 'it lacks config, schedule, sha256, record'),
    ('[1]', 'it holds no values by name'), ('\xff', 'codec')])
def test_a_description_that_is_not_one_is_refused(saved, text, why):
    _, path, _ = saved
    path.with_suffix('.json').write_bytes(text.encode('latin-1'))
    with pytest.raises(CheckpointError, match=f'smoke.json does not describe a model .{why}'
                       if why != 'codec' else 'smoke.json does not describe a model .*codec'):
        load_checkpoint(path)


@pytest.mark.parametrize('name, value, why', [
    ('record', 'a word', "its record is 'a word', expected values by name"),
    ('config', {'colour': 1}, "unknown settings .'colour'."),
    ('schedule', {'iterations': '4'}, "iterations is '4', expected a whole number"),
    ('schedule', {'window': 2.5}, 'window is 2.5, expected a whole number')])
def test_a_part_of_a_description_that_is_wrong_is_named(saved, name, value, why):
    _, path, _ = saved
    described = path.with_suffix('.json')
    described.write_text(json.dumps({**json.loads(described.read_text()), name: value}))
    with pytest.raises(CheckpointError, match=why):
        load_checkpoint(path)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_not_finite_are_neither_written_nor_used(saved, value):
    model, path, model_id = saved
    with torch.no_grad():
        model.initial[0, 0] = value
    with pytest.raises(CheckpointError, match='not written: the weights initial are not finite'):
        save_checkpoint(path, model, {})
    assert load_checkpoint(path).model_id == model_id
    # As another program may have written them.
    weights = load(path.read_bytes())
    weights['initial'][0, 0] = value
    described = json.loads(path.with_suffix('.json').read_text())
    path.write_bytes(save(weights))
    described['sha256'] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix('.json').write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match='cannot be used: the weights initial are not'):
        load_checkpoint(path)


@pytest.mark.parametrize('good', [0, 1])
def test_a_failed_write_leaves_the_previous_pair(saved, monkeypatch, good):
    model, path, model_id = saved
    synced = []

    def full_disk(_):
        synced.append(1)
        if len(synced) > good:
            raise OSError(28, 'No space left on device')

    with torch.no_grad():
        model.initial.add_(1.0)
    monkeypatch.setattr('obai_ros.whole_file.os.fsync', full_disk)
    with pytest.raises(OSError, match='No space left'):
        save_checkpoint(path, model, {})
    assert load_checkpoint(path).model_id == model_id
    assert {file.name for file in path.parent.iterdir()} == {'smoke.safetensors', 'smoke.json'}


@pytest.mark.parametrize('given, name', [
    (None, 'fast'), ('fast', 'fast'), (Path('paper'), 'paper')])
def test_bundled_weights_go_by_their_name_from_anywhere(given, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert checkpoint_path(given) == default_checkpoint(name)
    assert checkpoint_path(given).is_file()


@pytest.mark.parametrize('path', ['mine.safetensors', 'slow', 'here/fast', 'fast.safetensors'])
def test_other_words_are_paths(path):
    assert checkpoint_path(path) == Path(path)
