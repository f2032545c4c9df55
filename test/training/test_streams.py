# SPDX-License-Identifier: Apache-2.0
"""Learning from streams: beliefs go on from step to step, and over interruptions."""
import json
from dataclasses import replace

import pytest
import torch

from obai_ros.environment.sequences import sample_sequences
from obai_ros.model.free_energy import evaluate
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.refinement import refine
from obai_ros.model.schedule import Schedule
from obai_ros.model.window import extend, open_window
from obai_ros.training import streams
from obai_ros.training.learner import Learner
from obai_ros.training.objective import stream_loss
from obai_ros.training.recorded import Recordings
from obai_ros.training.run import Hardware, STATE, train
from obai_ros.training.stage import Stage
from obai_ros.training.state import load_state
from obai_ros.training.streams import Streams


@pytest.fixture
def streams_recipe(recipe):
    """Return the smoke recipe with streams for its second stage."""
    return replace(recipe, stages=(recipe.stages[0], replace(
        recipe.stages[1], frames=2, action_frame=0, streams=2, longest=5, steps=9)))


def test_the_loss_is_the_weighted_mean_over_all_refinements(recipe):
    torch.manual_seed(0)
    model = Obai(recipe.model).double()
    videos = sample_sequences(recipe.scene, 2, 3, torch.Generator().manual_seed(0))
    images, fields = videos.images.double(), videos.actions
    schedule = Schedule(2, 3, 2)

    def by_hand(window, first, arrivals, before):
        noise, losses = Noise.seeded([1, 2]), []
        counts = [first] + [2] * len(arrivals)
        for index, count in enumerate(counts):
            if index:
                window = extend(model, window, *arrivals[index - 1], 2)
            for _ in range(count):
                evaluation = evaluate(model, window, noise, learning=True)
                losses.append(evaluation.loss)
                window = refine(model, window, evaluation)
        losses.append(evaluate(model, window, noise, learning=True).loss)
        weights = torch.arange(len(losses), dtype=torch.double) + before
        pixels = images.shape[-1] ** 2 * len(images)
        return (weights @ torch.stack(losses)) / weights.sum() / pixels, window

    new = [(images[:, 1], fields[0])]
    one, window = stream_loss(model, None, images[:, 0], new, 1, schedule, Noise.seeded([1, 2]))
    other, by_then = by_hand(open_window(model, images[:, 0]), 3, new, 0)
    assert torch.allclose(one.loss, other)
    assert torch.allclose(window.packed, by_then.packed)
    old = [(images[:, 2], fields[1])]
    two, _ = stream_loss(model, window, None, old, 1, schedule, Noise.seeded([1, 2]))
    assert torch.allclose(two.loss, by_hand(window, 0, old, 2)[0])


def test_streams_go_on_in_turn_and_begin_anew_at_the_end_of_their_life(streams_recipe):
    torch.manual_seed(0)
    model = Obai(streams_recipe.model)
    streams = Streams(streams_recipe, 1, 0, 'cpu')
    seen = []
    for step in range(12):
        streams.learn(model, step).loss.backward()
        state = streams.state()
        seen.append((int(state[f'{step % 2}.seen']), int(state[f'{step % 2}.life'])))
    for turn in range(2):
        mine = seen[turn::2]
        assert mine[0][0] == 2
        for (before, life), (after, _) in zip(mine, mine[1:]):
            assert after == (2 if before >= life else before + 2)
        assert all(4 <= life <= 5 for _, life in mine)


def test_gradients_end_where_the_step_began(streams_recipe):
    torch.manual_seed(0)
    model = Obai(streams_recipe.model)
    streams = Streams(streams_recipe, 1, 0, 'cpu')
    for step in (0, 2, 4):
        streams.learn(model, step).loss.backward()  # a second pass would raise RuntimeError
    assert not any(value.requires_grad for value in streams.state().values())


def test_where_streams_are_is_kept_exactly(streams_recipe):
    torch.manual_seed(0)
    model = Obai(streams_recipe.model)
    one, two = (Streams(streams_recipe, 1, 0, 'cpu') for _ in range(2))
    for step in range(5):
        one.learn(model, step)
    two.restore(one.state())
    for step in range(5, 9):
        assert torch.equal(one.learn(model, step).loss, two.learn(model, step).loss)


@pytest.mark.parametrize('stop_after', [4, 7, 10])
def test_a_resumed_run_goes_on_with_its_streams_bit_for_bit(
        streams_recipe, tmp_path, stop_after, interrupt):
    def run(folder, **settings):
        return train(streams_recipe, folder, hardware=Hardware('cpu'), validate_every=100,
                     say=lambda line: None, **settings)

    run(tmp_path / 'whole')
    interrupt(stop_after)
    assert not run(tmp_path / 'parts')
    assert run(tmp_path / 'parts', resume=True)
    one, two = (load_state(tmp_path / name / STATE) for name in ('whole', 'parts'))
    assert_same(one, two, processes=1)


def assert_same(one, two, processes):
    """Make sure that two states are one and the same."""
    assert len(one.streams) == len(two.streams) == processes
    for mine, other in ((one.model, two.model), (one.average, two.average),
                        *zip(one.streams, two.streams)):
        assert mine.keys() == other.keys()
        for name, value in mine.items():
            assert torch.equal(value, other[name]), name


@pytest.mark.long
def test_a_run_of_two_processes_goes_on_with_the_streams_of_both(streams_recipe, tmp_path,
                                                                 run_program):
    (tmp_path / 'recipe.json').write_text(json.dumps(streams_recipe.to_dict()))

    def run(name, **settings):
        return run_program(
            tmp_path,
            'import json, sys\n'
            'from pathlib import Path\n'
            'from obai_ros.training.recipe import Recipe\n'
            'from obai_ros.training.run import Hardware, train\n'
            'recipe = Recipe.from_dict(json.loads(Path("recipe.json").read_text()))\n'
            'train(recipe, Path(sys.argv[1]), validate_every=100,\n'
            '      hardware=Hardware("cpu", 2, strategy="ddp"), **json.loads(sys.argv[2]))\n',
            name, json.dumps(settings))

    run('whole')
    run('parts', until=9)
    assert run('parts', resume=True).count('resuming fine at step 5') == 1
    assert_same(*(load_state(tmp_path / name / STATE) for name in ('whole', 'parts')),
                processes=2)
    # One process alone has other shares of a batch.
    said = []
    train(streams_recipe, tmp_path / 'parts', resume=True, hardware=Hardware('cpu'),
          say=said.append)
    assert 'its streams were those of 2 processes: with 1 they begin anew' in said


def test_streams_that_break_a_step_begin_anew(streams_recipe, tmp_path, monkeypatch):
    plain, forgotten = Learner.configure_gradient_clipping, []

    def poisoned(self, *args, **kwargs):
        if self.streams and self.step == 2:
            self.model.dynamics.D.grad.fill_(float('nan'))
        plain(self, *args, **kwargs)

    monkeypatch.setattr(Learner, 'configure_gradient_clipping', poisoned)
    monkeypatch.setattr(Streams, 'forget', lambda self, step: forgotten.append(step))
    train(streams_recipe, tmp_path, hardware=Hardware('cpu'), validate_every=100,
          say=lambda line: None)
    assert forgotten == [2]


@pytest.mark.parametrize('changes, words', [
    ({'streams': -1}, 'streams is -1'), ({'births': -1}, 'births is -1'),
    ({'streams': 2, 'longest': 3}, 'longest is 3')])
def test_impossible_streams_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        Stage('some', 5, **changes)


def test_births_happen_where_a_stream_is_gone_on_with(streams_recipe, monkeypatch):
    """Not at its first frame, not without being asked for, and nothing is looked at afresh."""
    def learn(births):
        asked = []

        def nothing(model, window, energy, due, schedule, noise, afresh):
            asked.append((window.batch, schedule.births, due.all(), afresh))
            return replace(window, packed=window.packed + 0.1), energy, due

        monkeypatch.setattr(streams, 'look_again', nothing)
        recipe = replace(streams_recipe, stages=(streams_recipe.stages[0], replace(
            streams_recipe.stages[1], births=births)))
        torch.manual_seed(0)
        model = Obai(recipe.model)
        watched = Streams(recipe, 1, 0, 'cpu')
        return [float(watched.learn(model, step).loss.detach()) for step in range(4)], asked

    losses, asked = learn(0)
    assert not asked
    other, asked = learn(1)
    batch = streams_recipe.stages[1].batch
    assert asked == [(batch, 1, True, False)] * 2   # two batches of streams, at their second turn
    assert other[:2] == losses[:2] and other[2] != losses[2]    # from the beliefs it returned


def test_recordings_are_no_streams(streams_recipe, tmp_path):
    with pytest.raises(ValueError, match='learns from streams, which only the simulator has'):
        train(streams_recipe, tmp_path, recordings=Recordings(tmp_path), hardware=Hardware('cpu'))
