# SPDX-License-Identifier: Apache-2.0
"""Beliefs that follow the gradient of the free energy."""
from dataclasses import replace

import pytest
import torch

from obai_ros.model.descent import descend
from obai_ros.model.filter import Filter
from obai_ros.model.free_energy import evaluate
from obai_ros.model.inference import begin, infer_clip
from obai_ros.model.noise import Noise, Silence
from obai_ros.model.refinement import refine_repeatedly
from obai_ros.model.schedule import Schedule
from obai_ros.model.window import extend, whole_clip

SEEDS = [3, 4]


@pytest.fixture
def clip_window(make_clip):
    """Return a function from a model to what it believes of a whole clip after two refinements."""
    def window(model):
        images, fields = make_clip()
        belief = infer_clip(model, images, fields, Schedule(2, None, 2), Noise.seeded(SEEDS))
        return whole_clip(model, images, fields[:-1], belief.pack())
    return window


def cost(model, window):
    """Return the free energy of each sequence at the means, [B] nats."""
    return evaluate(model, window, Silence()).free_energy.total.sum(-1)


@pytest.mark.parametrize('kind', ['closed_form', 'network'])
def test_more_steps_lead_further_down(make_model, clip_window, kind):
    model = make_model(action_inference=kind)
    window = clip_window(model)
    costs = [cost(model, window)] + [cost(model, descend(model, window, steps)[0])
                                     for steps in (5, 20, 80)]
    for before, after in zip(costs, costs[1:]):
        assert (after < before).all()


def test_it_ends_where_every_way_is_up(make_model, clip_window):
    """Not where the gradient vanishes: what interpolates between texels has kinks."""
    model = make_model()
    window = clip_window(model)

    def height(packed):
        found = evaluate(model, replace(window, packed=packed), Silence())
        return float(found.free_energy.total.sum())

    lowest = descend(model, window, 300)[0].packed
    assert height(lowest) < height(window.packed)
    generator = torch.Generator().manual_seed(0)
    for _ in range(8):
        nudge = 0.02 * torch.randn(lowest.shape, generator=generator, dtype=lowest.dtype)
        nudge.chunk(2, -1)[1].zero_()
        assert height(lowest + nudge) > height(lowest)


def test_means_move_and_spreads_stay(make_model, clip_window):
    model = make_model()
    before = clip_window(model)
    after, energy = descend(model, before, 3)
    means, spreads = (after.packed - before.packed).chunk(2, -1)
    assert (means.abs() > 0).all() and not spreads.any()
    for name in ('images', 'hidden', 'cell'):
        assert getattr(after, name) is getattr(before, name)
    # What it reports, and the masks and actions it leaves, are those before the last step.
    last = evaluate(model, descend(model, before, 3)[0], Silence())
    assert energy.shape == (2, 4) and (last.free_energy.of_slots[:, -1].sum(-1)
                                       < energy.sum(-1)).all()
    torch.testing.assert_close(after.mask, last.mixture.mask[:, -1, :, 0], rtol=0, atol=.1)
    torch.testing.assert_close(after.action_packed, last.action_packed, rtol=0, atol=.5)


def test_sequences_go_down_by_themselves(make_model, clip_window):
    model = make_model()
    window = clip_window(model)
    both = descend(model, window, 4)[0]
    for index in range(2):
        alone = descend(model, window[torch.tensor([index])], 4)[0]
        torch.testing.assert_close(alone.packed[0], both.packed[index], rtol=1e-9, atol=1e-9)


def test_a_clip_is_gone_over_as_a_whole_at_its_end(make_model, make_clip, clip_window):
    model, (images, fields) = make_model(), make_clip()
    belief = infer_clip(model, images, fields, Schedule(2, None, 2, descent=7),
                        Noise.seeded(SEEDS))
    expected = descend(model, clip_window(model), 7)[0]
    assert torch.equal(belief.pack(), expected.packed)


def test_each_frame_of_a_stream_is_gone_over(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip()
    schedule = Schedule(2, 3, 2, descent=6)
    stream = Filter(model, schedule)
    state, first = stream.step(stream.start(batch=2, seed=1), images[:, 0])
    state, second = stream.step(state, images[:, 1], fields[0])

    noise = Noise.seeded([1, 2])
    window, energy = descend(model, begin(model, images[:, 0], schedule, noise)[0], 6)
    assert torch.equal(first.belief.pack(), window.packed[:, -1])
    assert torch.equal(first.slot_free_energy, energy)
    window = extend(model, window, images[:, 1], fields[0], 2)
    window, energy = descend(model, refine_repeatedly(model, window, 2, noise)[0], 6)
    assert torch.equal(second.belief.pack(), window.packed[:, -1])
    assert torch.equal(second.slot_free_energy, energy)


def test_steps_that_make_no_sense_are_refused(make_model, clip_window):
    model = make_model()
    with pytest.raises(ValueError, match='steps is 0: expected at least 1'):
        descend(model, clip_window(model), 0)
    with pytest.raises(ValueError, match='descent is -1: expected 0 or more'):
        Schedule(descent=-1)
    assert replace(Schedule(), descent=5).changed(iterations=2).descent == 5
