# SPDX-License-Identifier: Apache-2.0
"""The filter behind perception: pictures in, percepts out."""
from types import SimpleNamespace

import numpy as np
from obai_ros.messages.beliefs import FARTHEST
from obai_ros.model.config import ModelConfig
from obai_ros.model.engine import Engine
from obai_ros.model.obai import Obai
from obai_ros.model.schedule import Schedule
from obai_ros.nodes.observer import Observer
import pytest
import torch

SIDE = 32


@pytest.fixture
def observer():
    return make_observer(Schedule(window=2))


def make_observer(schedule):
    torch.manual_seed(0)
    config = ModelConfig.named('smoke')
    checkpoint = SimpleNamespace(model=Obai(config), config=config, model_id='m',
                                 schedule=schedule)
    return Observer(checkpoint, torch.device('cpu'), Engine(), iterations=2,
                   window=2, starts=1, births=0, second_look=0, confined=False, seed=0)


def noise(seed, height=SIDE, width=SIDE):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_frames_count_what_was_seen_and_what_was_skipped(observer):
    push = observer.applied([3], [4], [[1., -1.]], cut=False).field
    observer.step(noise(0))
    assert observer.frame == 0
    observer.step(noise(1), (push,))
    assert observer.frame == 1
    observer.step(noise(2), (push, None, push))
    assert observer.frame == 4


def test_actions_change_what_is_believed(observer):
    def beliefs(*actions):
        observer.restart()
        observer.step(noise(0))
        return observer.step(noise(1), actions).belief.velocity

    strong = observer.applied([3, 20], [4, 20], [[90., 0.], [90., 0.]], cut=False).field
    assert torch.equal(beliefs(None), beliefs(None))
    assert not torch.allclose(beliefs(None), beliefs(strong))
    assert not torch.allclose(beliefs(None, None), beliefs(strong, None))


def test_a_restart_forgets_everything(observer):
    first = observer.step(noise(0)).belief.mean
    observer.step(noise(1))
    observer.restart()
    assert torch.equal(observer.step(noise(0)).belief.mean, first)


def test_beliefs_that_are_no_numbers_are_given_up(observer):
    observer.step(noise(0))
    observer.step(noise(1))
    observer._state.window.packed[:, :, 0, 1] = float('nan')
    percept = observer.step(noise(2))
    assert observer.spoilt and observer.frame == 0
    assert torch.isfinite(percept.belief.pack()).all()
    observer.step(noise(3))
    assert not observer.spoilt and observer.frame == 1


def test_a_push_beyond_all_measure_leads_to_nothing_that_cannot_be_sent():
    observer = make_observer(Schedule(window=2, exact_velocities=True))
    observer.step(noise(0))
    observer.step(noise(1))
    push = observer.applied([3, 20], [4, 20], [[1e8, 0.], [1e8, 0.]], cut=False).field
    percept = observer.step(noise(2), (push,))
    assert observer.spoilt
    assert float(percept.belief.velocity.abs().max()) <= FARTHEST


def test_effort_may_change_from_frame_to_frame(observer):
    def energy(**effort):
        observer.restart()
        observer.set_effort(2, **effort)
        return float(observer.step(noise(0)).free_energy)

    assert energy(descent=8) < energy() == energy(descent=0)


def test_predictions_are_pictures(observer):
    observer.warm_up()
    observer.step(noise(0))
    prediction = observer.predict()
    assert (prediction.shape, prediction.dtype) == ((SIDE, SIDE, 3), np.uint8)


def test_iterations_change_from_one_frame_to_the_next(observer):
    assert observer.step(noise(0)).iterations == 2
    observer.set_effort(3)
    assert observer.step(noise(1)).iterations == 3
