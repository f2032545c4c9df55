# SPDX-License-Identifier: Apache-2.0
"""Appendix B, counted; and the shapes of both presets."""
from dataclasses import replace

import pytest
import torch

from obai_ros.model.config import PRESETS, ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.model.pixels import as_image, in_a_row


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_paper_preset_has_the_parameters_of_appendix_b():
    model = Obai(ModelConfig.named('paper'))
    assert count(model.decoder) == 94_532
    assert count(model.refiner) == 372_512
    assert count(model.action_refiner) == 5_764
    assert model.dynamics.D.shape == (16, 2)
    assert model.initial.shape == (1, 64)
    assert model.num_parameters() == 94_532 + 372_512 + 5_764 + 32 + 64


@pytest.mark.parametrize('name', PRESETS)
def test_decoders_and_refiners_agree_on_shapes(name):
    model = Obai(ModelConfig.named(name))
    config = model.config
    pixels = config.image_size ** 2
    assert model.decode(torch.zeros(2, 3, config.latent_size)).shape == (2, 3, 4, pixels)
    size, hidden = 4 * config.latent_size, torch.zeros(5, config.hidden_size)
    change, _, _ = model.refiner(torch.zeros(5, 16, pixels), torch.zeros(5, size),
                                 torch.zeros(5, size), hidden, hidden)
    assert change.shape == (5, size)


def test_pixels_in_a_row_come_back_as_an_image():
    image = torch.arange(2 * 8 * 8).view(2, 8, 8)
    row = in_a_row(image)
    assert torch.equal(row[:, 5 * 8 + 3], image[:, 5, 3])
    assert torch.equal(as_image(row), image)


@pytest.mark.parametrize('changes, complaint', [
    ({'decoder': 'mlp'}, "decoder is 'mlp'"), ({'num_slots': 1}, 'num_slots is 1'),
    ({'sigma_o': 0.0}, 'sigma_o is 0.0'), ({'image_size': 30}, 'image of 30 px'),
    ({'texels': 24}, 'glimpse of 24 texels'), ({'latent_size': 0}, 'latent_size is 0'),
    ({'latent_size': 3}, 'with 3 latents'), ({'decoder': 'broadcast'}, 'the trunk glimpse')])
def test_impossible_configurations_are_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(ModelConfig.named('smoke'), **changes)


def test_unknown_preset_and_precision_are_named():
    with pytest.raises(ValueError, match="'big'.*fast"):
        ModelConfig.named('big')
    with pytest.raises(ValueError, match="'float16'"):
        Obai(ModelConfig.named('smoke'), precision='float16')
