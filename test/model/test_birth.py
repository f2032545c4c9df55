# SPDX-License-Identifier: Apache-2.0
"""Births: what is left out gets a slot, if that explains the image better."""
from dataclasses import replace

import pytest
import torch

from obai_ros.environment.rendering import render
from obai_ros.environment.scene import Scene, SceneConfig
from obai_ros.model import birth, second_look
from obai_ros.model.belief import Belief
from obai_ros.model.birth import give_birth
from obai_ros.model.checkpoint import default_checkpoint, load_checkpoint
from obai_ros.model.engine import Engine
from obai_ros.model.filter import Filter
from obai_ros.model.free_energy import evaluate
from obai_ros.model.inference import begin
from obai_ros.model.noise import Noise
from obai_ros.model.percept import perceive
from obai_ros.model.proposal import can_propose, features_of, fit, propose
from obai_ros.model.schedule import Schedule
from obai_ros.model.second_look import look_again
from obai_ros.model.window import open_window, put, select
from obai_ros.training.matching import overlap

PLACES = torch.tensor([[[16.0, 18.0], [46.0, 20.0], [30.0, 46.0]]])
COLOURS = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.75, 0.25], [0.25, 0.25, 1.0]]])


@pytest.fixture(scope='module')
def trained():
    return load_checkpoint(default_checkpoint())


@pytest.fixture(scope='module')
def scene():
    """Return images [1, 3, 64, 64] and labels of three objects apart."""
    flat = torch.zeros(1, 3)
    return render(Scene(shape=flat.long(), position=PLACES, velocity=torch.zeros(1, 3, 2),
                        size=flat + 14.0, orientation=flat, colour=COLOURS,
                        background=torch.tensor([0.5])), SceneConfig())


def found(model, window, image, labels):
    """Return [O] bool: which objects have a slot to themselves."""
    percept = perceive(model, window.belief[:, -1], image)
    iou = overlap(percept.assignment.argmax(1), labels, model.config.num_slots, 3)
    return iou.amax(-1)[0] > 0.5


def forgetful(model, window, image, labels, lost):
    """Return the window in which the slot of one object believes what the background's does."""
    percept = perceive(model, window.belief[:, -1], image)
    holder = overlap(percept.assignment.argmax(1), labels, model.config.num_slots, 3).argmax(-1)
    packed = window.packed.clone()
    packed[0, 0, holder[0, lost]] = packed[0, 0, percept.background[0]]
    return replace(window, packed=packed)


@pytest.mark.parametrize('lost', range(3))
def test_an_object_that_was_lost_is_found_again(trained, scene, lost):
    model, (image, labels) = trained.model, scene
    noise = Noise.seeded([0])
    window, _ = begin(model, image, replace(trained.schedule, starts=4, births=3), noise)
    assert found(model, window, image, labels).all()
    bad = forgetful(model, window, image, labels, lost)
    assert found(model, bad, image, labels).tolist() == [each != lost for each in range(3)]
    mended, energy = give_birth(model, bad, 1, noise, Engine())
    assert found(model, mended, image, labels).all()
    before = evaluate(model, bad, Noise.seeded([3])).free_energy.of_slots.sum()
    assert float(energy.sum()) < float(before) - 100.0


def test_nothing_is_born_where_all_is_explained(trained, scene, counting_engine):
    model, (image, _) = trained.model, scene
    window, _ = begin(model, image, replace(trained.schedule, starts=4, births=3),
                      Noise.seeded([0]))
    same, _ = give_birth(model, window, 3, Noise.seeded([1]), counting_engine)
    assert torch.equal(same.packed, window.packed) and not counting_engine.spent


def test_a_birth_that_explains_nothing_better_is_refused(trained, scene, monkeypatch,
                                                             counting_engine):
    """And no other is tried for that sequence."""
    model, (image, labels) = trained.model, scene
    window, _ = begin(model, image, replace(trained.schedule, starts=4, births=3),
                      Noise.seeded([0]))
    bad = forgetful(model, window, image, labels, 1)
    monkeypatch.setattr(birth, 'MARGIN', 1e6)
    same, energy = give_birth(model, bad, 3, Noise.seeded([1]), counting_engine)
    assert torch.equal(same.packed, bad.packed) and torch.equal(same.hidden, bad.hidden)
    assert len(counting_engine.spent) == 1
    expected = evaluate(model, bad, Noise.seeded([1])).free_energy.of_slots[:, -1]
    assert torch.allclose(energy, expected)


def test_sequences_of_a_batch_do_not_disturb_each_other(trained, scene):
    model, (image, labels) = trained.model, scene
    window, _ = begin(model, image, replace(trained.schedule, starts=4, births=3),
                      Noise.seeded([0]))
    everyone = torch.tensor([0, 0])
    good, bad = window[everyone], forgetful(model, window, image, labels, 2)[everyone]
    mixed = select(torch.tensor([True, False]), good, bad)
    mended, _ = give_birth(model, mixed, 2, Noise.seeded([5, 6]), Engine())
    alone, _ = give_birth(model, bad[:1], 2, Noise.seeded([6]), Engine())
    assert torch.equal(mended.packed[0], good.packed[0])
    assert torch.allclose(mended.packed[1], alone.packed[0], atol=1e-4)
    assert not torch.allclose(mended.packed[1], bad.packed[1], atol=1e-2)


def test_without_a_table_there_are_no_births(make_model, make_clip):
    model, (images, _) = make_model(), make_clip()
    assert not can_propose(model)
    window, energy = begin(model, images[:, 0], Schedule(2, starts=1), Noise.seeded([1, 2]))
    same, _ = give_birth(model, window, 3, Noise.seeded([3, 4]), Engine())
    assert torch.equal(same.packed, window.packed)


def test_a_table_is_what_least_squares_say(make_model, make_clip):
    """Percepts whose beliefs are linear in how objects look are read exactly."""
    model, (images, _) = make_model(), make_clip(batch=32)
    truth = torch.randn(7, 4 * model.config.latent_size,
                        generator=torch.Generator().manual_seed(0)).double()
    plain = perceive(model, open_window(model, images[:, 0]).belief[:, -1], images[:, 0])
    generator = torch.Generator().manual_seed(1)
    objects = torch.rand(32, model.config.num_slots, 2, generator=generator).double() * 32
    colour = torch.rand(32, model.config.num_slots, 3, generator=generator).double()
    mass = 20 + 100 * torch.rand(32, model.config.num_slots, generator=generator).double()
    features = features_of(objects, mass, colour, 32)
    percept = replace(
        plain, centroid=objects, mass=mass, empty=torch.zeros_like(plain.empty),
        traits=torch.cat([colour, plain.traits[..., 3:]], -1),
        belief=Belief.unpack(features @ truth))
    table = fit([percept])
    assert torch.allclose(features @ table.double(), features @ truth, atol=0.05)
    model.proposal.copy_(table)
    assert can_propose(model)
    assert torch.allclose(propose(model, features)[..., :4],
                          (features @ truth)[..., :4].clamp(-50, 50), atol=0.05)
    assert fit([replace(percept, empty=torch.ones_like(plain.empty))]) is None


def test_parts_of_a_batch_are_put_back_where_they_were(make_model, make_clip):
    model, (images, _) = make_model(), make_clip(batch=3)
    window, _ = begin(model, images[:, 0], Schedule(1), Noise.seeded([1, 2, 3]))
    index = torch.tensor([2, 0])
    part = window[index]
    assert torch.equal(part.packed, window.packed[[2, 0]])
    assert torch.equal(put(window, index, part).packed, window.packed)
    moved = put(window, index, replace(part, packed=part.packed + 1.0))
    assert torch.equal(moved.packed[1], window.packed[1])
    assert torch.equal(moved.packed[2], window.packed[2] + 1.0)


def test_a_stream_finds_at_its_next_frame_what_it_lost(trained, scene):
    """The other objects stay in their slots, and the newborn is believed to have been there."""
    model, (image, labels) = trained.model, scene
    stream = Filter(model, replace(trained.schedule, starts=4, births=3, second_look=4))
    state, _ = stream.step(stream.start(1), image)
    state, before = stream.step(state, image)
    holder = overlap(before.assignment.argmax(1), labels, model.config.num_slots, 3).argmax(-1)[0]
    window = state.window
    newest = replace(window, packed=window.packed[:, -1:], images=window.images[:, -1:])
    bad = forgetful(model, newest, image, labels, 1).packed
    state = replace(state, window=replace(window, packed=bad.expand_as(window.packed)))
    _, percept = stream.step(state, image)
    now = overlap(percept.assignment.argmax(1), labels, model.config.num_slots, 3)
    assert (now.amax(-1) > 0.8).all() and percept.renewed.all()
    assert now.argmax(-1)[0][[0, 2]].tolist() == holder[[0, 2]].tolist()


def test_what_birth_has_mended_is_not_looked_at_afresh(trained, scene, monkeypatch):
    model, (image, labels) = trained.model, scene
    schedule = replace(trained.schedule, starts=2, births=3)
    window, energy = begin(model, image, schedule, Noise.seeded([0]))
    calls = []
    monkeypatch.setattr(second_look, 'begin', lambda *args: calls.append(args) or begin(*args))
    due = torch.tensor([True])
    for births, looks in ((3, 0), (0, 1)):
        bad = forgetful(model, window, image, labels, 0)
        mended, _, renewed = look_again(model, bad, energy, due, replace(schedule, births=births),
                                        Noise.seeded([4]))
        assert renewed.all() and found(model, mended, image, labels).all()
        assert len(calls) == looks
    blind, _, renewed = look_again(model, bad, energy, due, replace(schedule, births=0),
                                   Noise.seeded([4]), afresh=False)
    assert not renewed.any() and torch.equal(blind.packed, bad.packed)
