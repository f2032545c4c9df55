# SPDX-License-Identifier: Apache-2.0
"""Classes of objects, told apart by what is seen of them."""
from dataclasses import replace

import pytest
import torch

from obai_ros.environment.shapes import SHAPES
from obai_ros.planning.goal import ObjectClass
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.preference import GoalError
from obai_ros.planning.recognition import Recogniser

COUNT, NOISE = 6000, 0.05


@pytest.fixture(scope='module')
def bank():
    generator = torch.Generator().manual_seed(3)
    position = 64 * torch.rand(COUNT, 2, generator=generator)
    shape = torch.randint(3, (COUNT,), generator=generator)
    colour = torch.randint(5, (COUNT, 3), generator=generator) / 4.0
    size = 10 + 12 * torch.rand(COUNT, generator=generator)
    # Mass grows with size, differently for each shape; outlines are mixed up in all moments.
    grows = torch.tensor([1.0, 0.6, 0.8])[shape]
    mixed = torch.linalg.qr(torch.randn(7, 7, generator=generator))[0]
    outline = torch.nn.functional.one_hot(shape, 7).float() @ mixed
    traits = torch.cat([colour, (grows * size)[:, None], outline], 1)
    traits = traits + NOISE * torch.randn(traits.shape, generator=generator)
    return GoalBank(position=position, shape=shape, colour=colour, size=size,
                    orientation=torch.zeros(COUNT), mean=torch.zeros(COUNT, 2),
                    sd=torch.ones(COUNT, 2), traits=traits, model_id='m', image_size=(64, 64),
                    shapes=SHAPES)


def log_odds(recogniser, traits, wanted):
    return recogniser.log_odds(recogniser.read(traits), wanted)


@pytest.mark.parametrize('wanted, least', [
    (ObjectClass('heart'), 0.99), (ObjectClass(size_range=(10.0, 15.0)), 0.9),
    (ObjectClass(None, (1.0, 0.0, 0.5)), 0.9), (ObjectClass('square', None, (16.0, 22.0)), 0.9)])
def test_a_class_is_told_from_all_others(bank, wanted, least):
    learned = bank.first(COUNT // 2)
    odds = log_odds(Recogniser(learned), bank.traits[COUNT // 2:], wanted)
    truly = bank.select(wanted.shape, wanted.colour, wanted.size_range)[COUNT // 2:]
    assert (odds[truly] > 0).float().mean() >= least
    assert (odds[~truly] < 0).float().mean() >= least


def test_of_several_classes_the_true_one_is_the_likeliest(bank):
    recogniser = Recogniser(bank)
    reading = recogniser.read(bank.traits)
    odds = torch.stack([recogniser.log_odds(reading, ObjectClass(shape)) for shape in SHAPES])
    assert (odds.argmax(0) == bank.shape).float().mean() > 0.99


def test_shapes_are_told_apart_that_no_mean_and_no_covariance_tells_apart(bank):
    """Two trefoils, one turned against the other by half a leaf."""
    generator = torch.Generator().manual_seed(1)
    angle = 2 * torch.pi * torch.rand(COUNT, generator=generator)
    ripple = 1.5 + 0.5 * torch.where(bank.shape == 0, torch.cos(3 * angle), -torch.cos(3 * angle))
    rings = torch.stack([ripple * angle.cos(), ripple * angle.sin()], 1)
    shape = (bank.shape > 0).long()
    assert (rings[shape == 0].mean(0) - rings[shape == 1].mean(0)).norm() < 0.1
    traits = torch.cat([bank.traits[:, :4], rings, torch.zeros(COUNT, 5)], 1)
    curved = replace(bank, traits=traits, shape=shape)
    odds = log_odds(Recogniser(curved.first(COUNT // 2)), traits[COUNT // 2:],
                    ObjectClass(SHAPES[1]))
    assert ((odds > 0) == (shape[COUNT // 2:] == 1)).float().mean() > 0.85


def test_every_object_is_of_the_class_of_all(bank):
    assert (log_odds(Recogniser(bank), bank.traits[:5], ObjectClass()) == torch.inf).all()


@pytest.mark.parametrize('wanted, words', [
    (ObjectClass('star'), "no shape 'star'"),
    (ObjectClass(None, (0.5, 0.4, 2.0)), 'three numbers in'),
    (ObjectClass(None, (0.5, 0.5)), 'three numbers in'),
    (ObjectClass(None, (0.6, 0.37, 0.37)), 'has 0 objects of this colour')])
def test_classes_that_are_not_known_are_refused(bank, wanted, words):
    few = replace(bank, colour=bank.colour.round())
    with pytest.raises(GoalError, match=words):
        log_odds(Recogniser(few), bank.traits[:1], wanted)
