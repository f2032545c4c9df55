# SPDX-License-Identifier: Apache-2.0
import types

import pytest

from obai_ros.benchmark.case import Case
from obai_ros.benchmark.perception import Rig, time_perception
from obai_ros.benchmark.stages import StageClock
from obai_ros.model import refinement


class Work:
    """Takes the time that it says, on a clock of its own."""

    def __init__(self, clock):
        self.clock = clock

    def outer(self):
        self.clock.now += 1.0
        self.inner()
        self.clock.now += 2.0
        return 'done'

    def inner(self):
        self.clock.now += 10.0


@pytest.fixture
def hands(monkeypatch):
    """A clock that stands still unless somebody works."""
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr('obai_ros.benchmark.stages.time.perf_counter', lambda: clock.now)
    return clock


def test_a_stage_is_charged_without_those_within_it(hands):
    work, clock = Work(hands), StageClock()
    with clock.watching((work, 'outer', 'one'), (work, 'inner', 'two')):
        hands.now += 50.0  # nobody's
        assert work.outer() == 'done'
        work.inner()
        clock.end_frame()
        work.inner()
        clock.end_frame()
    assert clock.frames == [{'one': 3.0, 'two': 20.0}, {'two': 10.0}]


def test_a_stage_that_fails_is_charged_too_and_all_is_put_back(hands):
    work, clock = Work(hands), StageClock()
    work.clock = None
    with pytest.raises(AttributeError), clock.watching((work, 'outer', 'one')):
        work.outer()
    assert vars(work) == {'clock': None} and not clock._running


def test_nothing_is_left_of_the_clock_in_the_model():
    rig, clock = Rig(Case('smoke', precision='float32')), StageClock()
    before, known = (refinement.evaluate, refinement.refine), set(vars(rig.model))
    with clock.watching(*rig.stages()):
        assert refinement.evaluate is not before[0]
        rig.frame()
        clock.end_frame()
    assert (refinement.evaluate, refinement.refine) == before
    assert set(vars(rig.model)) == known
    rig.frame()
    assert len(clock.frames) == 1


def test_stages_add_up_to_the_whole():
    found = time_perception(Case('smoke', precision='float32', camera=(160, 120)), frames=30,
                            warm_up=3)
    stages = found['stages_ms']
    assert list(stages) == ['convert', 'rest of the filter', 'decode', 'gradient', 'refine',
                            'describe', 'publish']
    assert all(0 < ms['p50'] <= ms['p99'] for ms in stages.values())
    total = sum(ms['mean'] for ms in stages.values())
    assert 0.9 * found['clocked_mean_ms'] < total <= found['clocked_mean_ms']
    assert 0 < found['ms_per_frame']['p50'] <= found['ms_per_frame']['p99']


def test_an_engine_of_one_piece_is_one_stage():
    found = time_perception(Case('smoke', 'direct', precision='float32'), frames=5, warm_up=2)
    assert found['engine'] == 'direct'
    assert list(found['stages_ms']) == ['convert', 'rest of the filter', 'decode', 'engine',
                                        'describe', 'publish']
    assert found['stages_ms']['engine']['p50'] > 0


@pytest.mark.parametrize('engine', ['reference', 'direct'])
def test_a_descent_is_a_stage_where_there_is_one(engine):
    found = time_perception(Case('smoke', engine, precision='float32', descent=2), frames=5,
                            warm_up=2)
    assert found['stages_ms']['descent']['p50'] > 0


def test_several_cameras_share_a_filter():
    case = Case('smoke', precision='float32', batch=3, camera=(48, 40))
    rig = Rig(case)
    images = rig.convert([video[0] for video in rig._videos])
    assert images.shape == (3, 3, 32, 32) and 0 <= images.min() < images.max() <= 1
    state, percept = rig.filter.step(rig.filter.start(3), images)
    messages = rig.publish(percept, 7)
    assert len({tuple(message.mean) for message in messages}) == 3
    assert all(message.frame == 7 and message.num_slots == 4 for message in messages)
    found = time_perception(case, frames=2, warm_up=1)
    assert found['ms_per_camera'] == pytest.approx(found['ms_per_frame']['p50'] / 3)
