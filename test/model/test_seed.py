# SPDX-License-Identifier: Apache-2.0
"""Seeds: slots begin where something stands out from the rest of an image."""
import numpy as np
import pytest
import torch

from obai_ros.action_field import ActionField
from obai_ros.model import inference
from obai_ros.model.filter import Filter
from obai_ros.model.glimpse import place_of
from obai_ros.model.inference import begin, first_window, infer_clip
from obai_ros.model.noise import Noise, Silence
from obai_ros.model.schedule import Schedule
from obai_ros.model.seed import patches, seeded_window


def picture(*squares):
    """Return an image [3, 32, 32] with squares (row, column, side, colour)."""
    image = np.full((3, 32, 32), 0.5, np.float32)
    for row, column, side, colour in squares:
        image[:, row:row + side, column:column + side] = np.reshape(colour, (3, 1, 1))
    return image


THREE = picture((2, 2, 8, (0.9, 0.1, 0.1)), (2, 20, 7, (0.1, 0.9, 0.1)),
                (20, 10, 6, (0.1, 0.1, 0.9)))
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


def test_slots_that_are_not_scattered_begin_in_the_middle_of_patches(make_model):
    model = make_model()
    image = torch.from_numpy(np.stack([THREE, TWO])).double()
    one, other = (seeded_window(model, image, Noise.seeded([seed, seed]), scattered=False)
                  for seed in (1, 2))
    assert torch.equal(one.packed[0], other.packed[0])
    silent = seeded_window(model, image, Silence())
    assert torch.equal(one.packed[0], silent.packed[0])
    # Two patches for three slots: the third is wherever chance has it.
    same = (one.packed[1, 0] == other.packed[1, 0]).all(-1)
    assert same.tolist() == [True, True, True, False]


@pytest.mark.parametrize('sampled', (False, True))
def test_chance_has_a_part_in_beliefs_only_if_they_are_sampled(make_model, sampled):
    model, image = make_model(), torch.from_numpy(THREE[None]).double()
    schedule = Schedule(2, None, 2, births=1, second_look=1, seeds=True, sampled=sampled)
    stream, beliefs = Filter(model, schedule), []
    for seed in (1, 2):
        state = stream.start(seed=seed)
        for _ in range(3):
            state, percept = stream.step(state, image)
        beliefs.append(percept.belief.pack())
    assert torch.equal(*beliefs) != sampled
    clip, still = image[:, None].expand(-1, 3, -1, -1, -1), [ActionField.empty(1, 32, 32)] * 3
    one, other = (infer_clip(model, clip, still, schedule, Noise.seeded([seed])).pack()
                  for seed in (1, 2))
    assert torch.equal(one, other) != sampled


def test_only_the_first_of_several_starts_is_in_the_middle(make_model, monkeypatch):
    model, image = make_model(), torch.from_numpy(THREE[None]).double()
    scattered = []

    def seeded(model, image, noise, far):
        scattered.append(far)
        return seeded_window(model, image, noise, far)

    monkeypatch.setattr(inference, 'seeded_window', seeded)
    begin(model, image, Schedule(2, starts=3, seeds=True), Noise.seeded([1]))
    assert scattered == [False, True, True]


def test_learning_reaches_the_first_beliefs_through_seeds(make_model):
    model = make_model()
    window = seeded_window(model, torch.from_numpy(TWO[None]).double(), Noise.seeded([1]))
    gradient, = torch.autograd.grad(window.packed.sum(), model.initial)
    # Places come from the image, everything else from what was learned.
    assert not gradient[1:, :3].any() and (gradient[1:, 3:] == 1).all() and gradient[0].all()
