# SPDX-License-Identifier: Apache-2.0
"""Seeds: slots begin where something stands out from the rest of an image."""
import numpy as np
import pytest
import torch

from obai_ros.model.glimpse import place_of
from obai_ros.model.inference import begin, first_window
from obai_ros.model.noise import Noise, Silence
from obai_ros.model.schedule import Schedule
from obai_ros.model.seed import patches, seeded_window


def picture(*squares):
    """Return an image [3, 32, 32] with squares (row, column, side, colour)."""
    image = np.full((3, 32, 32), 0.5, np.float32)
    for row, column, side, colour in squares:
        image[:, row:row + side, column:column + side] = np.reshape(colour, (3, 1, 1))
    return image


TWO = picture((4, 4, 8, (0.9, 0.1, 0.1)), (18, 20, 6, (0.1, 0.1, 0.9)))


def test_patches_are_told_by_place_and_size_and_specks_are_not():
    found, owner = patches(TWO, 3, 0.1)
    assert np.bincount(owner.ravel()).tolist() == [1024 - 100, *(patch.mass for patch in found)]
    large, small = sorted(found, key=lambda patch: -patch.mass)
    assert (large.mass, small.mass) == (64, 36)
    assert large.centre == pytest.approx([8.0, 8.0])
    assert small.centre == pytest.approx([23.0, 21.0])
    assert patches(picture((4, 4, 2, (0.9, 0.1, 0.1))), 3, 0.1)[0] == []
    assert len(patches(TWO, 1, 0.1)[0]) == 1


def test_slots_begin_there_and_the_background_where_it_always_does(make_model):
    model = make_model()
    image = torch.from_numpy(np.stack([TWO, picture()])).double()
    window = seeded_window(model, image, Silence()).detach()
    centres, sides = place_of(window.belief.mean[:, 0], 32)
    assert sorted(centres[0, 1:3].tolist()) == [pytest.approx([8.0, 8.0]),
                                                pytest.approx([23.0, 21.0])]
    assert sides[0, 1:3].max() == pytest.approx(1.6 * 8.0)
    # Where nothing stands out they begin in the middle, but for the noise.
    assert centres[1, 1:].flatten().tolist() == pytest.approx([16.0] * 6)
    usual = model.initial_belief(2)
    assert torch.equal(window.belief.mean[:, 0, 0], usual.mean[:, 0])
    assert torch.equal(window.belief.log_sd[:, 0], usual.log_sd)


def test_several_starts_differ_and_those_of_a_seed_do_not(make_model):
    model, image = make_model(), torch.from_numpy(TWO[None]).double()
    one, again, other = (first_window(model, image, Schedule(seeds=True), Noise.seeded([seed]))
                         for seed in (1, 1, 2))
    assert torch.equal(one.packed, again.packed) and not torch.equal(one.packed, other.packed)
    plain = first_window(model, image, Schedule(), Noise.seeded([1]))
    assert torch.equal(plain.packed[:, 0], model.initial_belief(1).pack())
    window, energy = begin(model, image, Schedule(2, starts=2, seeds=True), Noise.seeded([1]))
    assert torch.isfinite(energy).all() and window.frames == 1


def test_learning_reaches_the_first_beliefs_through_seeds(make_model):
    model = make_model()
    window = seeded_window(model, torch.from_numpy(TWO[None]).double(), Noise.seeded([1]))
    gradient, = torch.autograd.grad(window.packed.sum(), model.initial)
    # Places come from the image, everything else from what was learned.
    assert not gradient[1:, :3].any() and (gradient[1:, 3:] == 1).all() and gradient[0].all()
