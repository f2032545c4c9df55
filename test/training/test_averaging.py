# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
import torch

from obai_ros import cli
from obai_ros.model.checkpoint import load_checkpoint, save_checkpoint
from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai


@pytest.fixture
def two(tmp_path):
    """Return the files of two models, whose weights are all 1 and all 4."""
    paths = []
    for name, value in (('old', 1.0), ('new', 4.0)):
        model = Obai(replace(ModelConfig.named('smoke'), sigma_o=0.1 * value))
        for weight in model.state_dict().values():
            weight.fill_(value)
        paths.append(tmp_path / f'{name}.safetensors')
        save_checkpoint(paths[-1], model, {'seed': len(paths)})
    return paths


@pytest.mark.parametrize('shares, expected', [([], 2.5), (['--shares', '2', '1'], 2.0)])
def test_mean_is_that_of_every_weight_and_says_what_it_is_made_of(two, tmp_path, shares, expected):
    out = tmp_path / 'mean.safetensors'
    assert cli.main(['average', *map(str, two), '--out', str(out), *shares]) == 0
    mean = load_checkpoint(out)
    for weight in mean.model.state_dict().values():
        torch.testing.assert_close(weight, torch.full_like(weight, expected))
    assert mean.record['seed'] == 2 and mean.config.sigma_o == 0.1
    old, new = (load_checkpoint(path).model_id for path in two)
    assert list(mean.record['average']) == [old, new]
    assert sum(mean.record['average'].values()) == pytest.approx(1.0, abs=1e-5)


def test_weights_that_are_given_twice_count_twice(two, tmp_path):
    out = tmp_path / 'mean.safetensors'
    assert cli.main(['average', *map(str, (*two, two[0])), '--out', str(out)]) == 0
    old, new = (load_checkpoint(path).model_id for path in two)
    assert load_checkpoint(out).record['average'] == pytest.approx({old: 2 / 3, new: 1 / 3},
                                                                   abs=1e-5)


def test_weights_that_do_not_belong_together_are_refused(two, tmp_path, capsys):
    other = tmp_path / 'other.safetensors'
    save_checkpoint(other, Obai(replace(ModelConfig.named('smoke'), latent_size=6)), {})
    out = tmp_path / 'mean.safetensors'
    assert cli.main(['average', str(two[0]), str(other), '--out', str(out)]) == 2
    assert 'are configured differently' in capsys.readouterr().err
    for shares, complaint in ((['1'], '1 shares for 2 weights'), (['0', '0'], 'shares are 0, 0'),
                              (['2', '-1'], 'shares are 2, -1')):
        assert cli.main(['average', *map(str, two), '--out', str(out), '--shares', *shares]) == 2
        assert complaint in capsys.readouterr().err
    assert not out.exists()
