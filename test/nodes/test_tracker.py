# SPDX-License-Identifier: Apache-2.0
"""The filter behind perception: pictures in, percepts out."""
from types import SimpleNamespace

import numpy as np
from obai_ros.messages.beliefs import FARTHEST
from obai_ros.model.config import ModelConfig
from obai_ros.model.engine import Engine
from obai_ros.model.obai import Obai
from obai_ros.model.schedule import Schedule
from obai_ros.nodes.tracker import Tracker
import pytest
import torch

SIDE = 32


@pytest.fixture
def tracker():
    return make_tracker(Schedule(window=2))


def make_tracker(schedule):
    torch.manual_seed(0)
    config = ModelConfig.named('smoke')
    checkpoint = SimpleNamespace(model=Obai(config), config=config, model_id='m',
                                 schedule=schedule)
    return Tracker(checkpoint, torch.device('cpu'), Engine(), iterations=2,
                   window=2, starts=1, births=0, second_look=0, confined=False, seed=0)


def noise(seed, height=SIDE, width=SIDE):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_frames_count_what_was_seen_and_what_was_skipped(tracker):
    push = tracker.applied([3], [4], [[1., -1.]], cut=False).field
    tracker.step(noise(0))
    assert tracker.frame == 0
    tracker.step(noise(1), (push,))
    assert tracker.frame == 1
    tracker.step(noise(2), (push, None, push))
    assert tracker.frame == 4


def test_actions_change_what_is_believed(tracker):
    def beliefs(*actions):
        tracker.restart()
        tracker.step(noise(0))
        return tracker.step(noise(1), actions).belief.velocity

    strong = tracker.applied([3, 20], [4, 20], [[90., 0.], [90., 0.]], cut=False).field
    assert torch.equal(beliefs(None), beliefs(None))
    assert not torch.allclose(beliefs(None), beliefs(strong))
    assert not torch.allclose(beliefs(None, None), beliefs(strong, None))


def test_a_restart_forgets_everything(tracker):
    first = tracker.step(noise(0)).belief.mean
    tracker.step(noise(1))
    tracker.restart()
    assert torch.equal(tracker.step(noise(0)).belief.mean, first)


def test_beliefs_that_are_no_numbers_are_given_up(tracker):
    tracker.step(noise(0))
    tracker.step(noise(1))
    tracker._state.window.packed[:, :, 0, 1] = float('nan')
    percept = tracker.step(noise(2))
    assert tracker.spoilt and tracker.frame == 0
    assert torch.isfinite(percept.belief.pack()).all()
    tracker.step(noise(3))
    assert not tracker.spoilt and tracker.frame == 1


def test_a_push_beyond_all_measure_leads_to_nothing_that_cannot_be_sent():
    tracker = make_tracker(Schedule(window=2, exact_velocities=True))
    tracker.step(noise(0))
    tracker.step(noise(1))
    push = tracker.applied([3, 20], [4, 20], [[1e8, 0.], [1e8, 0.]], cut=False).field
    percept = tracker.step(noise(2), (push,))
    assert tracker.spoilt
    assert float(percept.belief.velocity.abs().max()) <= FARTHEST


def test_effort_may_change_from_frame_to_frame(tracker):
    def energy(**effort):
        tracker.restart()
        tracker.set_effort(2, **effort)
        return float(tracker.step(noise(0)).free_energy)

    assert energy(descent=8) < energy() == energy(descent=0)


def test_predictions_are_pictures(tracker):
    tracker.warm_up()
    tracker.step(noise(0))
    prediction = tracker.predict()
    assert (prediction.shape, prediction.dtype) == ((SIDE, SIDE, 3), np.uint8)


def test_iterations_change_from_one_frame_to_the_next(tracker):
    assert tracker.step(noise(0)).iterations == 2
    tracker.set_effort(3)
    assert tracker.step(noise(1)).iterations == 3
