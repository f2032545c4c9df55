# SPDX-License-Identifier: Apache-2.0
"""A second look: what is better explained afresh is taken over, slot by slot; the rest stays."""
from dataclasses import replace

import pytest
import torch

from obai_ros.model import filter as filter_module, inference, schedule as schedule_module
from obai_ros.model import second_look
from obai_ros.model.belief import ActionBelief
from obai_ros.model.filter import Filter
from obai_ros.model.free_energy import evaluate
from obai_ros.model.inference import begin
from obai_ros.model.noise import Noise
from obai_ros.model.refinement import refine_repeatedly
from obai_ros.model.schedule import Schedule
from obai_ros.model.second_look import look_again, matched, MOST_STARTS
from obai_ros.model.window import extend

ALL = torch.tensor([True, True])


def window_of_three(model, images, fields, noise, size=2):
    """Return a refined window that has slid on once, and its energy."""
    window, _ = begin(model, images[:, 0], Schedule(2), noise)
    for frame in (1, 2):
        window = extend(model, window, images[:, frame], fields[frame - 1], size)
        window, energy = refine_repeatedly(model, window, 2, noise)
    return window, energy


def spoilt(window, stream):
    """Return the window with nonsense believed about one stream's newest frame."""
    packed = window.packed.clone()
    packed[stream, -1, :, ::2] += 6.0
    return replace(window, packed=packed)


def cost(model, window):
    return evaluate(model, window, Noise.seeded([1, 2])
                    ).free_energy.reconstruction[:, -1].sum(-1)


def test_nonsense_is_replaced_and_what_is_good_stays(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip(frames=3)
    noise = Noise.seeded([5, 6])
    window, energy = window_of_three(model, images, fields, noise)
    drawn = Noise.seeded([7, 8])
    drawn.normal(2, *window.belief[:, -1].mean.shape[1:], dtype=window.packed.dtype)  # to judge by
    begun, _ = begin(model, images[:, 2], Schedule(2), drawn)
    bad = spoilt(replace(window, packed=torch.cat([window.packed[:, :1], begun.packed], 1)), 1)
    assert cost(model, bad)[1] > cost(model, begun)[1] + 50.0
    seen, new_energy, renewed = look_again(model, bad, energy, ALL, Schedule(2),
                                           Noise.seeded([7, 8]))
    assert renewed.tolist() == [False, True]
    assert torch.equal(seen.packed[0], bad.packed[0])
    assert torch.equal(seen.hidden[0], bad.hidden[0]) and torch.equal(new_energy[0], energy[0])
    assert torch.equal(seen.past.belief.mean[0], bad.past.belief.mean[0])
    assert cost(model, seen)[1] < cost(model, bad)[1] - 50.0
    assert not torch.equal(new_energy[1], energy[1])
    # The beliefs are those of the fresh look, perhaps in another order.
    found = seen.belief[1, -1].mean[:, None] == begun.belief[1, -1].mean
    assert found.all(-1).sum(0).tolist() == [1] * model.config.num_slots


def test_the_frames_before_lead_to_the_new_beliefs(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip(frames=3)
    window, energy = window_of_three(model, images, fields, Noise.seeded([5, 6]))
    seen, _, _ = look_again(model, spoilt(window, 1), energy, ALL, Schedule(2),
                            Noise.seeded([7, 8]))
    belief, action = seen.belief[1], seen.action_belief[1]
    certain = ActionBelief(action.mean, torch.full_like(action.mean, -torch.inf))
    led = model.dynamics.extrapolate(belief[0], certain[0])
    assert torch.allclose(led.mean, belief[1].mean)
    assert torch.allclose(led.velocity, belief[1].velocity)
    led = model.dynamics.extrapolate(seen.past.belief, seen.past.action)
    assert torch.allclose(led.mean[1], belief[0].mean)
    assert torch.allclose(led.velocity[1], belief[0].velocity)


def test_slots_are_matched_by_where_they_are():
    generator = torch.Generator().manual_seed(0)
    masks = torch.softmax(8 * torch.randn(3, 4, 100, generator=generator), 1)
    order = torch.stack([torch.randperm(4, generator=generator) for _ in range(3)])
    others = masks.gather(1, order[..., None].expand_as(masks))
    found, overlap = matched(masks, others)
    assert torch.equal(others.gather(1, found[..., None].expand_as(masks)), masks)
    assert torch.allclose(overlap, torch.ones(3, 4))


def test_where_it_is_not_due_everything_stays(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip(frames=3)
    window, energy = window_of_three(model, images, fields, Noise.seeded([5, 6]))
    bad = spoilt(spoilt(window, 0), 1)
    seen, _, renewed = look_again(model, bad, energy, torch.tensor([True, False]), Schedule(2),
                                  Noise.seeded([7, 8]))
    assert renewed.tolist() == [True, False]
    assert torch.equal(seen.packed[1], bad.packed[1])


def test_nobody_looks_again_where_all_is_explained(make_model, make_clip, counting_engine):
    """A plain picture has one colour, so that nothing is left whatever the slots believe."""
    model, (images, fields) = make_model(), make_clip(frames=3)
    plain = images[0].mean((-2, -1), keepdim=True).expand_as(images[0])
    window, energy = window_of_three(model, torch.stack([plain, images[1]]), fields,
                                     Noise.seeded([5, 6]))
    bad = spoilt(spoilt(window, 0), 1)
    _, _, renewed = look_again(model, bad, energy, ALL, Schedule(2), Noise.seeded([7, 8]),
                               counting_engine)
    assert renewed.tolist() == [False, True] and counting_engine.spent
    counting_engine.spent.clear()
    seen, _, renewed = look_again(model, bad, energy, torch.tensor([True, False]), Schedule(2),
                                  Noise.seeded([7, 8]), counting_engine)
    assert not renewed.any() and not counting_engine.spent and torch.equal(seen.packed, bad.packed)


@pytest.mark.parametrize('exact', (True, False))
def test_what_is_found_anew_is_not_believed_to_move(make_model, make_clip, monkeypatch, exact):
    """One frame says nothing of velocities: the least free energy have those of none."""
    model, (images, fields) = make_model(), make_clip(frames=3)
    monkeypatch.setattr(second_look, 'MARGIN', -1e9)
    monkeypatch.setattr(second_look, 'SAME_OBJECT', 1.0)
    window, energy = window_of_three(model, images, fields, Noise.seeded([5, 6]))
    renewed, _, taken = look_again(model, window, energy, ALL,
                                   Schedule(2, exact_velocities=exact), Noise.seeded([7, 8]))
    assert taken.all()
    still = renewed.belief[:, -1].velocity.abs().max() < 1e-6
    assert bool(still) == exact


def test_what_goes_on_keeps_the_velocity_of_least_free_energy(make_model, make_clip, monkeypatch):
    model, (images, fields) = make_model(), make_clip(frames=3)
    monkeypatch.setattr(second_look, 'MARGIN', -1e9)
    monkeypatch.setattr(second_look, 'SAME_OBJECT', -1.0)
    schedule = Schedule(2, exact_velocities=True)
    window, energy = window_of_three(model, images, fields, Noise.seeded([5, 6]))
    renewed, _, taken = look_again(model, window, energy, ALL, schedule, Noise.seeded([7, 8]))
    best = inference.finished(model, window, schedule).belief[:, -1].velocity
    assert taken.all() and not torch.allclose(best, window.belief[:, -1].velocity)
    torch.testing.assert_close(renewed.belief[:, -1].velocity, best)


def test_a_stream_looks_again_when_its_schedule_says_so(make_model, make_clip, monkeypatch):
    model, (images, fields) = make_model(), make_clip(frames=5)
    monkeypatch.setattr(second_look, 'MARGIN', -1e9)  # anything is better
    monkeypatch.setattr(filter_module, 'JUMP', 1e9)
    monkeypatch.setattr(schedule_module, 'EARLY', 0)
    stream = Filter(model, Schedule(1, 2, 2, second_look=3))
    state = stream.start(2)
    for frame in range(5):
        state, percept = stream.step(state, images[:, frame], fields[frame - 1] if frame else None)
        assert percept.renewed.tolist() == [frame == 3] * 2


def test_a_jump_of_the_free_energy_brings_a_second_look_to_its_stream_only(
        make_model, make_clip, monkeypatch):
    model, (images, _) = make_model(), make_clip(batch=3, frames=2)
    images = 0.5 + 0.1 * (images - 0.5)
    images[1, 1] = (images[1, 1] > 0.5).double()
    plain = Filter(model, Schedule(1, 2, 2))
    state, before = plain.step(plain.start(3), images[:, 0])
    _, after = plain.step(state, images[:, 1])
    quiet, jump, other = ((after.free_energy - before.free_energy) / 32 ** 2).tolist()
    assert jump > max(quiet, other) + 1.0
    monkeypatch.setattr(filter_module, 'JUMP', jump - 0.5)
    monkeypatch.setattr(schedule_module, 'EARLY', 0)
    monkeypatch.setattr(second_look, 'MARGIN', -1e9)
    stream = Filter(model, Schedule(1, 2, 2, second_look=1000))
    together = stream.start(3)
    for frame in range(2):
        together, percept = stream.step(together, images[:, frame])
    assert percept.renewed.tolist() == percept.jumped.tolist() == [False, True, False]
    for index in range(3):  # and each stream is as it is by itself
        alone = stream.start(1, seed=index)
        for frame in range(2):
            alone, _ = stream.step(alone, images[index:index + 1, frame])
        assert torch.allclose(alone.window.packed[0], together.window.packed[index], atol=1e-9)


def test_frames_that_get_a_second_look():
    assert [frame for frame in range(13) if Schedule(second_look=5).looks_again_at(frame)
            ] == [1, 2, 3, 5, 10]
    assert not any(Schedule().looks_again_at(frame) for frame in range(9))


@pytest.mark.parametrize('starts, begun', [(1, 1), (2, 2), (8, MOST_STARTS)])
def test_a_second_look_is_begun_as_often_as_a_first_but_not_too_often(
        make_model, make_clip, monkeypatch, starts, begun):
    model, (images, _) = make_model(), make_clip()
    seen = []

    def begin(model, image, schedule, *rest):
        seen.append(schedule.starts)
        return inference.begin(model, image, schedule, *rest)
    monkeypatch.setattr(second_look, 'begin', begin)
    stream = Filter(model, Schedule(1, None, 2, starts=starts, second_look=1))
    state = stream.start(2)
    for frame in range(2):
        state, _ = stream.step(state, images[:, frame])
    assert seen == [begun]
