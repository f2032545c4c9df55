# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from obai_ros.benchmark.case import Case
from obai_ros.model import device


@pytest.mark.parametrize('wrong, sentence', [
    ({'device': 'cuda:7'}, 'device cuda:7 is not there'),
    ({'precision': 'float8'}, "precision is 'float8': expected one of"),
    ({'engine': 'steam'}, "engine is 'steam': expected one of auto, reference"),
    ({'preset': 'vast'}, "unknown preset 'vast'"),
    ({'batch': 0}, 'batch is 0: expected at least 1'),
    ({'iterations': 0}, 'iterations is 0: expected at least 1'),
    ({'slots': 1}, 'num_slots is 1: expected 2..254'),
    ({'image_size': 50}, 'image of 50 px'),
])
def test_what_cannot_be_measured_is_a_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        Case(**wrong)


def test_a_benchmark_does_not_fall_back_on_another_precision(monkeypatch):
    monkeypatch.setattr(device, '_computes_bfloat16', lambda where: False)
    assert Case(precision='auto').precision == 'float32'
    with pytest.raises(ValueError, match='bfloat16 is not supported by this cpu device: choose'):
        Case(precision='bfloat16')


def test_bundled_weights_are_used_where_they_fit():
    model, weights = Case('fast', slots=6).model()
    assert weights.startswith('bundled') and model.config.num_slots == 6
    other, random = Case('fast', image_size=32).model()
    assert random == 'random' and other.config.image_size == 32
    again, _ = Case('fast', image_size=32).model()
    assert all(map(torch.equal, other.state_dict().values(), again.state_dict().values()))


def test_an_engine_that_is_not_to_be_had_is_a_sentence_and_not_another(monkeypatch):
    paper = Case('paper', 'direct', precision='float32')
    with pytest.raises(RuntimeError, match="direct cannot be measured: there is no direct engine"):
        paper.filter(paper.model()[0])
    monkeypatch.setenv('CXX', 'no-such-compiler')
    compiled = Case('smoke', 'compiled', precision='float32')
    with pytest.raises(RuntimeError, match='compiled cannot be measured: there is no C'):
        compiled.filter(compiled.model()[0])


@pytest.mark.parametrize('preset, asked, found', [
    ('smoke', 'reference', 'reference'), ('smoke', 'direct', 'direct'),
    ('paper', 'auto', 'reference')])
def test_the_engine_that_computes_is_told(preset, asked, found):
    case = Case(preset, asked, precision='float32')
    assert case.filter(case.model()[0])[1] == found


def test_everything_chosen_is_told():
    told = Case('smoke', precision='float32', iterations=2, window=3, second_look=4, slots=5,
                batch=2, descent=6).describe()
    assert told == {'preset': 'smoke', 'engine': 'reference', 'device': 'cpu',
                    'precision': 'float32', 'iterations': 2, 'window': 3, 'second_look': 4,
                    'slots': 5, 'image_size': 32, 'batch': 2, 'camera': [32, 32],
                    'descent': 6}
