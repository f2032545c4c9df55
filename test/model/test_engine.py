# SPDX-License-Identifier: Apache-2.0
"""The refinement that is written out, and compiled, against the reference."""
from dataclasses import replace

import pytest
import torch

from obai_ros.action_field import ActionField
from obai_ros.model.config import ModelConfig
from obai_ros.model.engine import Engine
from obai_ros.model.engines import compiled
from obai_ros.model.engines.agreement import example
from obai_ros.model.engines.choice import make_engine
from obai_ros.model.engines.compiled import Compiled, artefact, fingerprint
from obai_ros.model.engines.direct import Direct
from obai_ros.model.engines.part import PARTS, POINTS, Part
from obai_ros.model.engines.refining import Refining, _normalised
from obai_ros.model.filter import Filter
from obai_ros.model.inference import infer_clip
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.refinement import refine_repeatedly
from obai_ros.model.schedule import Schedule
from obai_ros.model.velocity import best_velocities
from obai_ros.model.window import coast, expected, extend, open_window


def silent(sentence):
    raise AssertionError(f'nothing was to be said, but it said: {sentence}')


def skewed(model):
    """Return the model with a D whose columns are not at right angles."""
    with torch.no_grad():
        model.dynamics.D.add_(0.1 * torch.randn_like(model.dynamics.D))
    return model


def windows(model, images, fields):
    """Return windows of all kinds: new, growing, sliding, after a frame that nobody saw."""
    def seen(window):
        return refine_repeatedly(model, window, 1, Noise.seeded(range(len(images))))[0]

    kinds = [open_window(model, images[:, 0])]
    kinds.append(extend(model, seen(kinds[-1]), images[:, 1], fields[0], 3))
    kinds.append(extend(model, seen(kinds[-1]), images[:, 2], fields[1], 2))
    unseen = coast(model, seen(kinds[-1]), fields[2])
    kinds.append(extend(model, unseen, images[:, 0], fields[0], 2))
    return kinds


@pytest.mark.parametrize('points', [1, 3, POINTS + 2])
@pytest.mark.parametrize('preset', ['smoke', 'fast'])
def test_it_is_the_reference_to_the_last_digits(make_model, make_clip, preset, points):
    config = ModelConfig.named(preset)
    model = skewed(make_model(**config.to_dict()))
    images, fields = make_clip(size=config.image_size, points=points)
    for window in windows(model, images, fields):
        expected, energy = refine_repeatedly(model, window, 2, Noise.seeded([7, 8]))
        found, cost = Direct(model).refine(model, window, 2, Noise.seeded([7, 8]))
        for name in ('packed', 'action_packed', 'hidden', 'cell', 'mask'):
            torch.testing.assert_close(getattr(found, name), getattr(expected, name),
                                       rtol=1e-9, atol=1e-9, msg=name)
        torch.testing.assert_close(cost, energy, rtol=1e-10, atol=1e-7)


@pytest.mark.parametrize('points', [1, POINTS + 2])
@pytest.mark.parametrize('confined', [False, True])
def test_it_expects_what_the_reference_does(make_model, make_clip, points, confined):
    model = skewed(make_model())
    images, fields = make_clip(points=points)
    for window in windows(model, images, fields):
        seen = refine_repeatedly(model, window, 1, Noise.seeded([7, 8]))[0]
        packed, action = expected(model, seen, fields[0], confined)
        found, its_action = Direct(model).expect(model, seen, fields[0], confined)
        torch.testing.assert_close(found, packed, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(vars(its_action), vars(action), rtol=1e-12, atol=1e-12)
    unseen = coast(model, seen, fields[1], confined)
    torch.testing.assert_close(Direct(model).expect(model, unseen, fields[0], confined)[0],
                               expected(model, unseen, fields[0], confined)[0])


def test_it_finds_the_velocities_that_the_reference_finds(make_model, make_clip):
    model, (images, fields) = skewed(make_model()), make_clip()
    for window in windows(model, images, fields):
        seen = refine_repeatedly(model, window, 1, Noise.seeded([7, 8]))[0]
        found = Direct(model).move(model, seen)
        torch.testing.assert_close(found.packed, best_velocities(model, seen).packed,
                                   rtol=1e-12, atol=1e-12)
        assert not torch.equal(found.packed, seen.packed)


@pytest.mark.parametrize('preset', ['smoke', 'fast'])
def test_it_descends_as_the_reference_does(make_model, make_clip, preset):
    config = ModelConfig.named(preset)
    model = make_model(**config.to_dict())
    images, fields = make_clip(size=config.image_size)
    for window in windows(model, images, fields):
        expected, energy = Engine().descend(model, window, 3)
        found, cost = Direct(model).descend(model, window, 3)
        for name in ('packed', 'action_packed', 'mask'):
            torch.testing.assert_close(getattr(found, name), getattr(expected, name),
                                       rtol=1e-7, atol=1e-7, msg=name)
        torch.testing.assert_close(cost, energy, rtol=1e-8, atol=1e-6)


def test_streams_are_the_same_with_second_looks_and_several_starts(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip(frames=5)
    schedule = Schedule(2, 3, 2, starts=2, second_look=2, confined=True)
    percepts = []
    for engine in (Engine(), Direct(model)):
        stream = Filter(model, schedule, engine)
        state = stream.start(batch=2, seed=1)
        for frame in range(5):
            state, percept = stream.step(state, images[:, frame],
                                         fields[frame - 1] if frame else None)
        percepts.append(percept)
    torch.testing.assert_close(percepts[1].masks, percepts[0].masks, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(percepts[1].slot_free_energy, percepts[0].slot_free_energy)


def test_clips_are_the_same(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip()
    schedule = Schedule(2, 3, 2, starts=2, descent=3)
    expected, found = (infer_clip(model, images, fields, schedule, Noise.seeded([7, 8]), engine)
                       for engine in (Engine(), Direct(model)))
    torch.testing.assert_close(found.pack(), expected.pack(), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize('preset', ['smoke', 'fast'])
def test_percepts_are_the_same(make_model, make_clip, preset):
    model = make_model(**ModelConfig.named(preset).to_dict())
    images, _ = make_clip(size=model.config.image_size)
    mean = open_window(model, images[:, 0]).belief.mean[:, 0]
    expected = Engine().describe(model, mean, images[:, 1])
    found = Direct(model).describe(model, mean, images[:, 1])
    for name, value in vars(expected).items():
        torch.testing.assert_close(getattr(found, name), value, rtol=1e-9, atol=1e-9, msg=name)


def test_bfloat16_stays_within_its_rounding(make_model, make_clip):
    torch.manual_seed(0)
    model = Obai(ModelConfig.named('smoke'), 'bfloat16').eval()
    images, fields = make_clip()
    window = windows(model, images.float(), fields)[2]
    expected, energy = refine_repeatedly(model, window, 1, Noise.seeded([7, 8]))
    found, cost = Direct(model).refine(model, window, 1, Noise.seeded([7, 8]))
    torch.testing.assert_close(found.packed, expected.packed, rtol=0, atol=.05)
    torch.testing.assert_close(cost, energy, rtol=.01, atol=0)
    assert found.packed.dtype == cost.dtype == torch.float32


def test_beliefs_that_are_not_numbers_stay_what_they_are(make_model, make_clip):
    model, (images, _) = make_model(), make_clip()
    window = open_window(model, images[:, 0])
    window.packed[0, 0, 1] = float('nan')
    found, _ = Direct(model).refine(model, window, 1, Noise.seeded([7, 8]))
    assert found.packed[0].isnan().any() and torch.isfinite(found.packed[1]).all()


def test_planes_that_hardly_vary_are_normalised_to_numbers():
    generator = torch.Generator().manual_seed(0)
    for size in (1e2, 1e3, 1e4):
        plane = size * torch.rand(1, 1, 64, 1, 1, generator=generator).expand(-1, -1, -1, 64, 64)
        found, = _normalised((plane,), 2.5)
        assert torch.isfinite(found).all()


def test_an_engine_serves_its_own_model_only(make_model, make_clip):
    model, (images, _) = make_model(), make_clip()
    with pytest.raises(ValueError, match='made for another model'):
        Direct(model).refine(make_model(), open_window(model, images[:, 0]), 1,
                             Noise.seeded([1, 2]))


def test_networks_that_are_not_written_out_are_left_to_the_reference(make_model):
    model = make_model(action_inference='network')
    with pytest.raises(ValueError, match='use the reference engine'):
        Refining(model)
    said = []
    assert type(make_engine('direct', model, silent, said.append)) is Engine
    assert type(make_engine('auto', model, silent, silent)) is Engine
    assert 'no direct engine' in said[0] and len(said) == 1
    with pytest.raises(ValueError, match='expected one of auto, reference'):
        make_engine('fastest', model, silent, silent)


@pytest.fixture
def stream(make_clip):
    """Return (model, windows of one and of two frames) as compiled code takes them: float32."""
    torch.manual_seed(0)
    model = Obai(ModelConfig.named('smoke')).eval()
    images, fields = make_clip(batch=1)
    return model, windows(model, images.float(), fields)[:2]


@pytest.mark.parametrize('parts', [
    [Part('expect', 1)], pytest.param(PARTS, marks=pytest.mark.long)], ids=['one', 'all'])
def test_compiled_code_agrees_and_is_kept_for_the_next_start(stream, tmp_path, monkeypatch,
                                                             parts):
    model, (first, window) = stream
    unpacked = tmp_path / 'unpacked'
    unpacked.mkdir()
    monkeypatch.setenv('TMPDIR', str(unpacked))
    said = []
    push = ActionField(*torch.full((2, 1, 3), 16), torch.randn(1, 3, 2), 32, 32)
    engine = Compiled(model, parts, said.append, silent, tmp_path)
    before = [engine.refine(model, each, 2, Noise.seeded([3]))  # not compiled yet
              for each in (first, window)]
    engine.wait()
    assert said[0].startswith('compiling') and said[1].startswith('compiled code is at work')
    again = Compiled(model, parts, silent, silent, tmp_path, fresh=False)
    assert not engine.missing and not again.missing
    for each in (engine, again):
        for seen, (refined, energy) in zip((first, window), before):
            found, cost = each.refine(model, seen, 2, Noise.seeded([3]))
            torch.testing.assert_close(found.packed, refined.packed, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(found.mask, refined.mask, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(cost, energy, rtol=1e-4, atol=0)
            packed, action = each.expect(model, refined, push, True)
            other, caused = expected(model, refined, push, True)
            torch.testing.assert_close(packed, other, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(action.mean, caused.mean, rtol=1e-4, atol=1e-4)
    # More points than it was compiled for are no obstacle.
    many = ActionField(*torch.zeros(2, 1, POINTS + 1, dtype=torch.long),
                       torch.randn(1, POINTS + 1, 2), 32, 32)
    crowded = replace(window, fields=(many,))
    torch.testing.assert_close(
        again.refine(model, crowded, 1, Noise.seeded([3]))[0].packed,
        refine_repeatedly(model, crowded, 1, Noise.seeded([3]))[0].packed, rtol=1e-4, atol=1e-4)
    assert len(list(unpacked.glob('aotinductor_*'))) == 2 * len(parts)
    engine.close()
    again.close()
    assert not list(unpacked.glob('aotinductor_*'))


@pytest.mark.parametrize('part', [part for part in PARTS if part.does != 'refine'], ids=str)
def test_all_else_can_be_exported_whole(stream, part):
    """Which compiling begins with; what follows is tried above and in test_graphs, -m long."""
    model, _ = stream
    code, inputs = Direct(model).written_out(part).eval(), example(model, part)
    with torch.no_grad():
        found = torch.export.export(code, inputs).module()(*inputs)
        for mine, other in zip(found, code(*inputs), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


def test_code_that_computes_something_else_is_not_put_to_work(stream, tmp_path, monkeypatch):
    model, _ = stream
    part, other, said = Part('refine', 1, 2), Obai(model.config).eval(), []
    found = artefact(tmp_path / fingerprint(model), part)
    found.parent.mkdir()

    def engine(code_of, warn=silent, fresh=False):
        monkeypatch.setattr(compiled, 'load_code', lambda path, device: Refining(code_of))
        return Compiled(model, [part], [].append, warn, tmp_path, fresh)

    found.touch()
    assert not engine(model).missing and found.exists()
    assert engine(other).missing and not found.exists()
    # Nor is it when it has just been made.
    monkeypatch.setenv('CXX', 'false')
    compiling = engine(other, said.append, fresh=True)
    found.touch()
    compiling.wait()
    assert compiling.missing and not found.exists()
    sentence, = said
    assert 'that to refine (sequences: 1, frames: 2) gives other results' in sentence
    assert 'the direct engine goes on' in sentence


def test_code_that_is_only_half_there_is_compiled_anew(stream, tmp_path, monkeypatch):
    model, (_, window) = stream
    found = artefact(tmp_path / fingerprint(model), Part('refine', 1, 2))
    found.parent.mkdir()
    found.write_bytes(b'PK half a file')
    assert Compiled(model, [Part('refine', 1, 2)], silent, silent, tmp_path, fresh=False).missing
    assert not found.exists()
    # Nor does a node end over it where it is what a compiler has just written.
    monkeypatch.setenv('CXX', 'false')
    said = []
    engine = Compiled(model, [Part('refine', 1, 2)], [].append, said.append, tmp_path)
    found.write_bytes(b'PK half a file')
    engine.wait()
    sentence, = said
    assert 'that to refine (sequences: 1, frames: 2) cannot be put to work (' in sentence
    assert torch.isfinite(engine.refine(model, window, 1, Noise.seeded([3]))[1]).all()


def test_without_a_compiler_the_direct_engine_works_and_says_so(stream, tmp_path, monkeypatch):
    model, (_, window) = stream
    monkeypatch.setenv('CXX', 'no-such-compiler')
    said = []
    engine = Compiled(model, [Part('refine', 1, 2)], silent, said.append, tmp_path)
    assert said == ['there is no C++ compiler (no-such-compiler) on PATH to compile with: the '
                    'direct engine takes over']
    assert torch.isfinite(engine.refine(model, window, 1, Noise.seeded([3]))[1]).all()
    # What was compiled where there is one needs none.
    monkeypatch.setattr(compiled, 'load_code', lambda path, device: Refining(model))
    engine.folder.mkdir()
    artefact(engine.folder, Part('refine', 1, 2)).touch()
    assert not Compiled(model, [Part('refine', 1, 2)], silent, silent, tmp_path).missing


def test_a_compiler_that_fails_costs_nothing_but_a_warning(stream, tmp_path, monkeypatch):
    model, (_, window) = stream
    monkeypatch.setenv('CXX', 'false')
    said, part = [], Part('move', 1, 2)  # the one that is soonest ready for a compiler
    engine = Compiled(model, [part], lambda sentence: None, said.append, tmp_path)
    engine.wait()
    assert 'compiling ended with status 1' in said[0] and 'errors.txt' in said[0]
    assert not artefact(engine.folder, part).exists()
    assert torch.isfinite(engine.move(model, window).packed).all()


def test_nothing_is_compiled_unless_asked_for(stream, tmp_path, monkeypatch):
    model, _ = stream
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert type(make_engine('auto', model, silent, silent)) is Direct
    assert not list(tmp_path.rglob('*.pt2'))
    begun = make_engine('compiled', model, [].append, silent)
    assert begun.missing and (begun.folder / 'model.safetensors').exists()
    begun.close()


def test_compiled_code_belongs_to_one_model_at_one_precision(stream):
    model, _ = stream
    before = fingerprint(model)
    assert fingerprint(model) == before
    model.precision = 'bfloat16'
    assert fingerprint(model) != before
    model.precision = 'float32'
    with torch.no_grad():
        model.initial += 1e-3
    assert fingerprint(model) != before
