# SPDX-License-Identifier: Apache-2.0
"""The engine of recordings: CUDA graphs where there is a GPU, else a stand-in for them."""
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from obai_ros.action_field import ActionField
from obai_ros.model.engine import Engine
from obai_ros.model.engines import compiled, graphs
from obai_ros.model.engines.choice import make_engine
from obai_ros.model.engines.compiled import Compiled, artefact
from obai_ros.model.engines.direct import Direct
from obai_ros.model.engines.graphs import Graphs, Recording
from obai_ros.model.engines.part import PARTS, POINTS, Part
from obai_ros.model.noise import Noise
from obai_ros.model.refinement import refine_repeatedly
from obai_ros.model.window import extend, open_window

from stand_in import StandIn


def silent(sentence):
    raise AssertionError(f'nothing was to be said, but it said: {sentence}')


@pytest.fixture
def make_stream(make_model, make_clip):
    """Return make(device): (model, windows of one stream: of one frame and of two)."""
    def make(device='cpu'):
        model, (images, fields) = make_model().float().to(device), make_clip(batch=1)
        images = images.float().to(device)
        first = open_window(model, images[:, 0])
        seen = refine_repeatedly(model, first, 1, Noise.seeded([1], device))[0]
        return model, (first, extend(model, seen, images[:, 1], fields[0].to(device), 2))
    return make


@pytest.fixture
def stream(make_stream):
    return make_stream()


def refined(engine, model, window):
    window, energy = engine.refine(model, window, 3, Noise.seeded([3], window.images.device))
    return window.packed, window.hidden, window.action_packed, window.mask, energy


def described(engine, model, window):
    image = window.images[:, -1].unflatten(-1, (32, 32))
    return vars(engine.describe(model, window.belief.mean[:, -1], image)).values()


def assert_the_same(found, expected, atol=0.0):
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine.cpu(), other.cpu(), rtol=0.0, atol=atol)


def test_replays_are_the_written_out_code_and_nothing_is_written_over(stream):
    model, windows = stream
    made = []
    engine = Graphs(model, PARTS, silent, lambda *case: made.append(StandIn(*case)) or made[-1])
    assert list(engine.prepared) == list(PARTS) and engine.working == engine.name
    answers = [ask(engine, model, window) for window in windows for ask in (refined, described)]
    for window in windows:  # what later replays write is not what earlier ones gave
        for ask in (refined, described):
            assert_the_same(answers.pop(0), ask(Direct(model), model, window))
    assert all(recording.replays for recording in made)
    # More points than it was recorded for are no obstacle.
    many = ActionField(*torch.zeros(2, 1, POINTS + 1, dtype=torch.long),
                       torch.randn(1, POINTS + 1, 2), 32, 32)
    crowded = replace(windows[1], fields=(many,))
    assert_the_same(refined(engine, model, crowded), refined(Direct(model), model, crowded))


def test_a_recording_that_errs_is_not_put_to_work(stream):
    model, windows = stream

    def wrong(function, inputs):
        return lambda *tensors: tuple(value + 1.0 for value in function(*tensors))
    said = []
    engine = Graphs(model, PARTS, said.append, wrong)
    assert not engine.prepared and engine.working == 'direct' and len(said) == len(PARTS)
    assert 'gives other results than it should: the direct engine takes over' in said[0]
    assert_the_same(refined(engine, model, windows[1]), refined(Direct(model), model, windows[1]))


def test_a_recording_of_what_does_not_change_is_not_put_to_work(stream):
    """As one is whose function reads its inputs through the host."""
    def constant(function, inputs):
        outputs = function(*inputs)
        return lambda *tensors: outputs
    said = []
    assert not Graphs(stream[0], PARTS, said.append, constant).prepared
    assert len(said) == len(PARTS) and 'gives other results' in said[0]


class FakeCuda:
    """Stands in for torch.cuda: notes on which device what is done."""

    def __init__(self):
        self.current, self.recorded = 0, []

    @contextmanager
    def device(self, device):
        before, self.current = self.current, device
        yield
        self.current = before

    def Stream(self):
        return SimpleNamespace(device=self.current, wait_stream=lambda other: None)

    def current_stream(self):
        return self.Stream()

    @contextmanager
    def stream(self, stream):
        assert stream.device == self.current
        yield

    def CUDAGraph(self):
        return SimpleNamespace(device=self.current)

    @contextmanager
    def graph(self, graph, stream=None, capture_error_mode='global'):
        # What torch takes when it is not told otherwise belongs to the device of the first graph.
        where = 0 if stream is None else stream.device
        self.recorded.append((graph.device, where, self.current, capture_error_mode))
        yield


def test_a_recording_is_made_on_the_device_of_its_tensors(monkeypatch):
    cuda, runs = FakeCuda(), []
    monkeypatch.setattr(graphs.torch, 'cuda', cuda)

    def function(value):
        runs.append(cuda.current)
        return (value + 1.0,)
    inputs = (torch.ones(3, device='cpu'),)
    Recording(function, inputs)
    cpu = inputs[0].device
    assert cuda.recorded == [(cpu, cpu, cpu, 'thread_local')]
    assert set(runs) == {cpu} and cuda.current == 0


def test_what_cannot_be_recorded_costs_nothing_but_a_warning(stream):
    model, windows = stream

    def failing(function, inputs):
        raise RuntimeError('operation not permitted when stream is capturing\nmore about it')
    said = []
    engine = Graphs(model, PARTS, said.append, failing)
    sentence, = said
    assert sentence == ('recording CUDA graphs failed (operation not permitted when stream is '
                        'capturing): the direct engine takes over')
    assert_the_same(refined(engine, model, windows[0]), refined(Direct(model), model, windows[0]))


@pytest.mark.parametrize('compiles', [
    False, pytest.param(True, marks=pytest.mark.long)], ids=['as_if', 'compiler'])
def test_compiled_code_is_recorded_in_place_of_the_written_out(
        stream, tmp_path, monkeypatch, compiles):
    model, windows = stream
    made, part = [], Part('describe', 1)  # what compiles soonest
    code = Direct(model).written_out(part)
    if not compiles:
        monkeypatch.setattr(compiled, 'load_code', lambda path, device: code)
        monkeypatch.setenv('CXX', 'false')

    def record(*case):
        made.append(StandIn(*case))
        return made[-1]
    engine = Compiled(model, [part], [].append, silent, tmp_path, record=record)
    assert (engine.name, engine.until, engine.missing) == ('compiled', 'graphs', [part])
    before = described(engine, model, windows[1])
    if not compiles:
        artefact(engine.folder, part).touch()
    engine.wait()
    assert not engine.missing
    after = described(engine, model, windows[1])
    before_it, after_it = made
    assert before_it.replays > 0 and after_it.replays > 0
    expected = described(Direct(model), model, windows[1])
    assert_the_same(before, expected)
    assert_the_same(after, expected, 1e-3)
    assert_the_same(after, described(Engine(), model, windows[1]), 1e-3)
    # The next start finds it, and records nothing else.
    again = Compiled(model, [part], silent, silent, tmp_path, fresh=False, record=record)
    assert not again.missing and len(made) == 3
    assert_the_same(described(again, model, windows[1]), after)


def test_compiled_code_that_cannot_be_recorded_costs_nothing_but_a_warning(
        stream, tmp_path, monkeypatch):
    model, windows = stream
    said, part = [], Part('refine', 1, windows[1].frames)

    def record(function, inputs):
        if function is not engine_code:
            return StandIn(function, inputs)
        raise RuntimeError('operation not permitted when stream is capturing\nmore about it')
    engine_code = Direct(model).written_out(part)
    monkeypatch.setattr(compiled, 'load_code', lambda path, device: engine_code)
    monkeypatch.setenv('CXX', 'false')
    engine = Compiled(model, [part], [].append, said.append, tmp_path, record=record)
    artefact(engine.folder, part).touch()
    engine.wait()
    sentence, = said
    assert ('cannot be put to work (operation not permitted when stream is capturing): the '
            'graphs engine goes on') in sentence
    assert_the_same(refined(engine, model, windows[1]), refined(Direct(model), model, windows[1]))


def test_without_a_gpu_the_direct_engine_works_and_says_so(stream):
    model, windows = stream
    said = []
    engine = make_engine('graphs', model, silent, said.append)
    assert said == ['CUDA graphs are for a GPU, not for cpu: the direct engine takes over']
    assert_the_same(refined(engine, model, windows[0]), refined(Direct(model), model, windows[0]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU here')
def test_on_a_gpu_graphs_give_what_the_direct_engine_gives(make_stream):
    model, windows = make_stream('cuda')
    engine = Graphs(model, PARTS, silent)
    assert list(engine.prepared) == list(PARTS)
    for window in windows:
        for ask in (refined, described):
            assert_the_same(ask(engine, model, window), ask(Direct(model), model, window), 1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU here')
def test_on_a_gpu_compiled_code_gives_what_the_direct_engine_gives(make_stream, tmp_path):
    model, windows = make_stream('cuda')
    engine = Compiled(model, PARTS, [].append, silent, tmp_path)
    engine.wait()
    assert not engine.missing
    for window in windows:
        for ask in (refined, described):
            assert_the_same(ask(engine, model, window), ask(Direct(model), model, window), 0.02)
