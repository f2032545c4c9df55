# SPDX-License-Identifier: Apache-2.0
"""Appendix B, counted; and the shapes of both presets."""
from dataclasses import replace

import pytest
import torch

from obai_ros.model.config import PRESETS, ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.model.pixels import from_planar, planar_index, to_planar


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


def test_planar_order_is_a_permutation_that_its_index_describes():
    image = torch.arange(2 * 8 * 8).view(2, 8, 8)
    for r in (1, 2, 4):
        planar = to_planar(image, r)
        assert torch.equal(from_planar(planar, r), image)
        row, col = torch.tensor([5, 0, 7]), torch.tensor([3, 7, 7])
        assert torch.equal(planar[:, planar_index(row, col, 8, r)], image[:, row, col])


def test_patch_trunk_is_a_convolution_over_patches():
    """In planar order, what looks like a 1x1 convolution covers r x r px with stride r."""
    model = Obai(ModelConfig.named('smoke'))
    r, trunk = model.config.subpixel, model.refiner.trunk
    image = torch.randn(2, 16, 32, 32)
    planar = to_planar(image, r).view(2, -1, 32 // r, 32 // r)
    kernel = trunk.patch.weight.view(-1, 16, r, r)
    expected = torch.nn.functional.conv2d(image, kernel, trunk.patch.bias, stride=r)
    assert torch.allclose(trunk.patch(planar), expected, atol=1e-5)


@pytest.mark.parametrize('changes, complaint', [
    ({'decoder': 'mlp'}, "decoder is 'mlp'"), ({'num_slots': 1}, 'num_slots is 1'),
    ({'sigma_o': 0.0}, 'sigma_o is 0.0'), ({'image_size': 30}, 'not a multiple of subpixel'),
    ({'image_size': 40}, 'grid of 10 cells'), ({'latent_size': 0}, 'latent_size is 0'),
    ({'decoder': 'broadcast'}, 'subpixel is 4')])
def test_impossible_configurations_are_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(ModelConfig.named('smoke'), **changes)


def test_unknown_preset_and_precision_are_named():
    with pytest.raises(ValueError, match="'big'.*fast"):
        ModelConfig.named('big')
    with pytest.raises(ValueError, match="'float16'"):
        Obai(ModelConfig.named('smoke'), precision='float16')
