# SPDX-License-Identifier: Apache-2.0
"""Runs on the smoke recipe: interruption, continuation, damage, several processes."""
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy

from obai_ros import cli
from obai_ros.environment.scene import SceneConfig
from obai_ros.environment.sequences import sample_sequences
from obai_ros.model import device
from obai_ros.model.checkpoint import CheckpointError, load_checkpoint
from obai_ros.model.config import ModelConfig
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.schedule import Schedule
from obai_ros.training import bookkeeping
from obai_ros.training.bookkeeping import Diverged
from obai_ros.training.learner import (Learner, draw_batch, learning_rate, temperature,
                                       watch_plateau)
from obai_ros.training.objective import composite_loss
from obai_ros.training.recipe import preset_path, read_recipe, Recipe
from obai_ros.training.recorded import Recordings
from obai_ros.training.run import Hardware, resuming, STATE, train
from obai_ros.training.state import load_state, save_state
from obai_ros.training.trials import Trial, try_seeds
from obai_ros.training.validation import validation_videos


def run(recipe, folder, **settings):
    said = []
    finished = train(recipe, folder, hardware=Hardware('cpu'), validate_every=100, say=said.append,
                     **settings)
    return finished, said


def test_a_run_ends_with_weights_that_load(recipe, tmp_path):
    finished, said = run(recipe, tmp_path)
    checkpoint = load_checkpoint(tmp_path / 'smoke.safetensors')
    assert finished and checkpoint.config == recipe.model
    assert checkpoint.record['finished'] and checkpoint.record['sequences'] == 16
    assert checkpoint.schedule == recipe.stages[-1].schedule
    assert [line.split()[0] for line in said[:2]] == ['coarse', 'fine']
    assert list(tmp_path.glob('curves/*tfevents*'))


@pytest.mark.parametrize('stop_after, optimizer', [
    (2, 'adam'), (4, 'adam'), (6, 'adam'), (6, 'muon')])
def test_a_resumed_run_continues_bit_for_bit(recipe, tmp_path, stop_after, optimizer, interrupt):
    """Within a stage, between stages, and within the second one."""
    recipe = replace(recipe, optimizer=optimizer)
    run(recipe, tmp_path / 'whole')
    interrupt(stop_after)
    finished, said = run(recipe, tmp_path / 'parts')
    assert not finished and any('SIGTERM' in line for line in said)
    finished, said = run(recipe, tmp_path / 'parts', resume=True)
    assert finished and 'resuming' in said[0]
    one, two = (load_state(tmp_path / name / STATE) for name in ('whole', 'parts'))
    assert (one.stage, one.step) == (two.stage, two.step) == (1, 4)
    for name in one.model:
        assert torch.equal(one.model[name], two.model[name]), name
        assert torch.equal(one.average[name], two.average[name]), name
    assert one.moments.keys() == two.moments.keys()
    assert ('momentum' in one.moments) == (optimizer == 'muon')
    for kind, moments in one.moments.items():
        for name in moments:
            assert torch.equal(moments[name], two.moments[kind][name]), (kind, name)
    assert two.record['sequences'] == 16


@pytest.mark.parametrize('able, used', [(True, 'bfloat16'), (False, 'float32')])
def test_a_run_keeps_the_precision_that_it_began_with(recipe, tmp_path, monkeypatch, able, used):
    """`auto` is settled once: another machine goes on as the first did, and says at what cost."""
    recipe = replace(recipe, precision='auto', stages=recipe.stages[1:])
    monkeypatch.setattr(device, '_computes_bfloat16', lambda _: able)
    _, said = run(recipe, tmp_path, until=1)
    assert load_state(tmp_path / STATE).recipe.precision == used
    assert not any('warning' in line for line in said)
    monkeypatch.setattr(device, '_computes_bfloat16', lambda _: not able)
    _, said = run(recipe, tmp_path, resume=True, until=2)
    assert load_state(tmp_path / STATE).recipe.precision == used
    assert ('several times as long as float32' in said[0]) == able
    run(recipe, tmp_path, resume=True)
    record = load_checkpoint(tmp_path / 'smoke.safetensors').record
    assert record['recipe']['precision'] == used


def test_steps_with_gradients_that_are_not_finite_are_left_out(recipe, tmp_path, monkeypatch):
    plain = Learner.configure_gradient_clipping

    def poisoned(self, *args, **kwargs):
        self.model.initial.grad.fill_(float('nan'))
        plain(self, *args, **kwargs)

    monkeypatch.setattr(Learner, 'configure_gradient_clipping', poisoned)
    one_stage = replace(recipe, stages=recipe.stages[1:])
    before = Learner(one_stage, 0).model.state_dict()
    run(one_stage, tmp_path)
    after = load_state(tmp_path / STATE).model
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.fixture
def diverging(monkeypatch):
    """Return by seed at which step runs diverge: a dictionary to add to."""
    at, plain = {}, Learner.optimizer_step

    def step(self, *args, **kwargs):
        plain(self, *args, **kwargs)
        if at.get(self.seed) == self.total_steps:
            self.average.initial.data.fill_(float('nan'))

    monkeypatch.setattr(Learner, 'optimizer_step', step)
    return at


def test_a_run_that_diverges_ends_with_an_error_and_the_state_before(tmp_path, diverging, capsys):
    diverging[0] = 6
    assert cli.main(['train', '--preset', 'smoke', '--device', 'cpu', '--out', str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert 'obai train: at step 4 of fine the averaged weights are not finite (initial)' in error
    assert f'{tmp_path / STATE} is what was saved before' in error and error.count('\n') == 1
    state = load_state(tmp_path / STATE)
    assert (state.stage, state.step) == (0, 4)
    assert not (tmp_path / 'smoke.safetensors').exists()


def test_a_trial_that_diverges_leaves_the_others_alone(recipe, tmp_path, diverging):
    diverging.update({1: 1, 3: 1})
    said = []

    def trial(seed, folder, resume):
        return train(recipe, folder, seed, resume, until=1, hardware=Hardware('cpu'),
                     validate_every=100, say=lambda _: None)

    assert try_seeds(tmp_path, range(1, 3), 1, trial, STATE, said.append).seed == 2
    assert [line.split(':')[0] for line in said] == [
        'pilot of seed 1 diverged', 'pilot of seed 2', 'seed 2 goes on']
    with pytest.raises(Diverged, match='all pilots, of seeds 3 to 3, diverged'):
        try_seeds(tmp_path, range(3, 4), 1, trial, STATE, said.append)


@pytest.mark.parametrize('scores, words', [
    ({'ari': 0.5, 'position_r2': 0.914, 'mse': 0.02}, 'position R2 0.91, MSE 0.02000'),
    ({'ari': 0.5, 'mse': 0.02}, 'no object found, MSE 0.02000'), ({'mse': 0.02}, 'MSE 0.02000')])
def test_what_is_not_known_of_a_trial_is_not_told(scores, words):
    assert Trial(0, Path(), scores).words == words


def test_a_trial_whose_error_is_no_number_is_left_out(recipe, tmp_path, monkeypatch):
    plain = bookkeeping.validate

    def validate(model, videos, schedule):
        return {**plain(model, videos, schedule), 'mse': float('nan')}

    monkeypatch.setattr(bookkeeping, 'validate', validate)
    with pytest.raises(Diverged, match='all pilots'):
        try_seeds(tmp_path, range(2), 1, lambda seed, folder, resume: train(
            recipe, folder, seed, resume, until=1, hardware=Hardware('cpu'),
            say=lambda _: None), STATE, lambda _: None)


def test_a_batch_that_processes_cannot_share_is_refused_before_they_start(recipe, tmp_path):
    uneven = replace(recipe, stages=(recipe.stages[0], replace(recipe.stages[1], batch=3)))
    for hardware in (Hardware('cpu', 2, strategy='ddp'), Hardware('cpu', [0, 1], strategy='ddp'),
                     Hardware('cpu', 1, nodes=2, strategy='ddp')):
        with pytest.raises(ValueError, match="stage 'fine': a batch of 3 .* by 2 processes"):
            train(uneven, tmp_path / 'out', hardware=hardware)
    assert not (tmp_path / 'out').exists()


@pytest.fixture(scope='module')
def two_processes(tmp_path_factory, run_program):
    """
    Run clips, then streams that go on, on two gloo processes; return the recipe and the folder.

    Each process keeps the gradients of its first step. The second step of streams begins with no
    first belief: nothing of it reaches lambda_0.
    """
    folder, plain = tmp_path_factory.mktemp('two'), read_recipe(preset_path('smoke'))
    clips = replace(plain.stages[1], steps=1, warmup=1)
    streams = replace(clips, name='streams', steps=3, streams=1, frames=1, longest=9,
                      action_frame=0)
    recipe = replace(plain, stages=(clips, streams), clip=1e9, validation_sequences=1)
    (folder / 'recipe.yaml').write_text(json.dumps(recipe.to_dict()))
    run_program(
        folder,
        'import sys, torch\n'
        'from obai_ros.cli import main\n'
        'from obai_ros.training.learner import Learner\n'
        'plain = Learner.configure_gradient_clipping\n'
        'def keep(self, *args, **kwargs):\n'
        '    if self.stage_index == 0:\n'
        '        grads = {n: p.grad.clone() for n, p in self.model.named_parameters()}\n'
        '        torch.save(grads, f"gradients{self.global_rank}.pt")\n'
        '    plain(self, *args, **kwargs)\n'
        'Learner.configure_gradient_clipping = keep\n'
        'sys.exit(main(sys.argv[1:]))\n',
        'train', '--recipe', 'recipe.yaml', '--out', 'out', '--device', 'cpu', '--devices', '2',
        '--strategy', 'ddp', '--threads', '1', '--validate-every', '100')
    return recipe, folder


def test_two_processes_have_the_gradients_of_one_with_the_joint_batch(two_processes):
    """Those of the clips, against the mean over both shards computed here."""
    recipe, folder = two_processes
    learner = Learner(recipe, 0)
    for shard in (0, 1):
        videos, noise = draw_batch(recipe, 0, 0, 0, shard, 2, 'cpu')
        loss = composite_loss(learner.model, videos.images, videos.actions,
                              recipe.stages[0].schedule, noise).loss
        (loss / 2).backward()
    for rank in (0, 1):
        found = torch.load(folder / f'gradients{rank}.pt')
        for name, parameter in learner.model.named_parameters():
            scale = parameter.grad.abs().max()
            assert (found[name] - parameter.grad).abs().max() <= 1e-4 * scale, name


def test_processes_wait_for_the_one_that_saves(recipe, tmp_path, monkeypatch):
    """What comes after a pilot reads what was saved of it, whichever process is first."""
    met = []

    def barrier(strategy, name=None):
        if name == bookkeeping.SAVED:
            met.append(load_state(tmp_path / STATE).step)

    monkeypatch.setattr(SingleDeviceStrategy, 'barrier', barrier)
    run(recipe, tmp_path, until=2)
    run(recipe, tmp_path, resume=True, minutes=0)
    assert met == [2, 3]


def test_two_processes_learn_from_streams_that_go_on(two_processes):
    state = load_state(two_processes[1] / 'out' / STATE)
    assert (state.stage, state.step) == (1, 3)


def test_the_command_stops_in_time_and_refuses_to_overwrite(tmp_path, capsys):
    command = ['train', '--preset', 'smoke', '--out', str(tmp_path), '--device', 'cpu',
               '--threads', '1']
    assert cli.main([*command, '--max-minutes', '0']) == 3
    stopped = f'stopped at step 1 of coarse; `obai train --resume --out {tmp_path}` continues'
    assert stopped in capsys.readouterr().out
    assert cli.main(command) == 2
    assert (f'{tmp_path} holds a run already: `obai train --resume --out {tmp_path}` continues'
            in capsys.readouterr().err)
    assert cli.main([*command, '--resume']) == 0
    assert 'resuming coarse at step 1' in capsys.readouterr().out


def test_the_command_that_continues_is_whole():
    assert resuming(Path('my run'), None) == "obai train --resume --out 'my run'"
    bag = Recordings(Path('bag'), '/camera/image_raw', 'letterbox')
    assert resuming(Path('out'), bag) == ('obai train --resume --out out --data bag --resize '
                                          'letterbox --image-topic /camera/image_raw')
    several = Hardware('cpu', 2, 3, 'ddp')
    assert resuming(Path('out'), None, several).endswith(
        '--out out --devices 2 --nodes 3 --strategy ddp')
    assert resuming(Path('out'), None, Hardware('gpu', [1])).endswith('--out out --device cuda:1')


def test_a_run_begins_with_other_weights_at_a_later_stage(recipe, tmp_path):
    run(recipe, tmp_path / 'one')
    one = load_checkpoint(tmp_path / 'one' / 'smoke.safetensors')
    finished, said = run(recipe, tmp_path / 'two', begin_with=one, begin_at='fine')
    assert finished and [line.split()[0] for line in said] == ['fine', 'weights:']
    two = load_checkpoint(tmp_path / 'two' / 'smoke.safetensors')
    assert two.record['before']['model_id'] == one.model_id and two.record['sequences'] == 8
    with pytest.raises(ValueError, match="no stage 'end': its stages are coarse, fine"):
        run(recipe, tmp_path / 'three', begin_at='end')


def test_a_log_tells_how_far_a_run_is(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('obai_ros.progress.EVERY', 0.0)
    run(recipe, tmp_path, until=2)
    run(recipe, tmp_path, resume=True, until=3)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(',')[0] for line in lines] == [
        f'obai train: coarse: {step} of 4 steps' for step in (1, 2, 3)]


def test_a_damaged_or_missing_state_is_refused(recipe, tmp_path):
    with pytest.raises(CheckpointError, match='no run to resume'):
        train(recipe, tmp_path, resume=True, hardware=Hardware('cpu'))
    (tmp_path / STATE).write_bytes(b'nonsense')
    with pytest.raises(CheckpointError, match='damaged'):
        load_state(tmp_path / STATE)


def test_a_full_disk_leaves_the_previous_state(recipe, tmp_path, monkeypatch):
    run(recipe, tmp_path)
    state = load_state(tmp_path / STATE)
    before = (tmp_path / STATE).read_bytes()

    def full_disk(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('obai_ros.whole_file.os.fsync', full_disk)
    with pytest.raises(OSError, match='No space left'):
        save_state(tmp_path / STATE, state)
    assert (tmp_path / STATE).read_bytes() == before


def test_learning_rate_warms_up_and_follows_a_cosine(recipe):
    stage = replace(recipe.stages[0], steps=1000, warmup=10, learning_rate=1e-3,
                    final_learning_rate=1e-4)
    rates = [learning_rate(stage, step) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-4) and max(rates) == pytest.approx(1e-3, rel=1e-3)
    assert rates[500] == pytest.approx(5.5e-4) and rates[-1] == pytest.approx(1e-4, rel=1e-3)
    assert temperature(stage, 5) is None
    annealed = replace(stage, temperature=2.0, final_temperature=0.5)
    assert temperature(annealed, 0) == 2.0 and temperature(annealed, 999) == pytest.approx(0.5)


def test_every_step_and_shard_has_its_own_data(recipe):
    def draw(*numbers):
        return draw_batch(recipe, *numbers, 2, 'cpu')[0].images

    assert torch.equal(draw(0, 0, 0, 0), draw(0, 0, 0, 0))
    for other in ((0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)):
        assert not torch.equal(draw(0, 0, 0, 0), draw(*other))
    with pytest.raises(ValueError, match='shared evenly by 3'):
        draw_batch(recipe, 0, 0, 0, 0, 3, 'cpu')


def test_learning_lowers_the_loss(recipe):
    """A few steps on one batch: not proof of learning, but of gradients that point downhill."""
    learner = Learner(recipe, 0)
    optimizer = torch.optim.Adam(learner.model.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        videos, noise = draw_batch(recipe, 0, 0, 0, 0, 1, 'cpu')
        loss = composite_loss(learner.model, videos.images, videos.actions,
                              recipe.stages[0].schedule, noise).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5]), losses


@pytest.mark.parametrize('heat', [None, 0.5])
def test_the_networks_of_the_paper_learn_every_weight(heat):
    """The `paper` preset's: actions inferred by a network, and from the third frame on refined."""
    torch.manual_seed(0)
    config = replace(ModelConfig.named('paper'), image_size=32, channels=4)
    model = Obai(config)
    generator = torch.Generator().manual_seed(0)
    videos = sample_sequences(SceneConfig(image_size=32), 2, 3, generator, 'cpu', (0,))
    loss = composite_loss(model, videos.images, videos.actions, Schedule(2, None, 3),
                          Noise(generator, 'cpu'), heat).loss
    loss.backward()
    assert torch.isfinite(loss)
    for name, weight in model.named_parameters():
        assert torch.isfinite(weight.grad).all() and weight.grad.any(), name


def test_a_plateau_cuts_the_learning_rate_by_three(recipe):
    stage = replace(recipe.stages[0], steps=1000, warmup=1, learning_rate=9e-4,
                    final_learning_rate=1e-4, plateau=100)
    seen, cuts = None, []
    for step, loss in ((50, 3.0), (100, 2.0), (150, 2.5), (200, 2.1), (250, 2.2), (300, 2.0),
                       (350, 1.0)):
        seen = watch_plateau(stage, step, loss, seen)
        cuts.append(seen['cuts'])
    assert cuts == [0, 0, 0, 1, 1, 2, 2] and seen['lowest'] == 1.0
    rates = [learning_rate(stage, 500, cut) for cut in range(4)]
    assert rates == pytest.approx([9e-4, 3e-4, 1e-4, 1e-4])
    with pytest.raises(ValueError, match='plateau is 0'):
        replace(stage, plateau=0)


def test_a_run_watches_for_plateaus_and_remembers_when_resumed(recipe, tmp_path, monkeypatch):
    stage = replace(recipe.stages[1], steps=6, plateau=1)
    single = replace(recipe, stages=(stage,))
    monkeypatch.setattr('obai_ros.training.bookkeeping.validation_loss', lambda *_: 1.0)
    here = dict(hardware=Hardware('cpu'), validate_every=1, say=lambda _: None)
    train(single, tmp_path, until=3, **here)
    assert load_state(tmp_path / STATE).record['plateau'] == {'lowest': 1.0, 'step': 3, 'cuts': 2}
    train(single, tmp_path, resume=True, **here)
    assert load_state(tmp_path / STATE).record['plateau']['cuts'] == 5


def test_a_plateau_is_one_of_the_loss_on_the_validation_videos(recipe, tmp_path):
    single = replace(recipe, stages=(replace(recipe.stages[1], steps=1, plateau=1),))
    train(single, tmp_path, hardware=Hardware('cpu'), say=lambda _: None)
    state, stage = load_state(tmp_path / STATE), single.stages[0]
    videos = validation_videos(recipe.scene_at(stage), recipe.validation_sequences, stage.frames,
                               stage.action_frame)
    average = Learner.resumed(state).average.requires_grad_()
    loss = composite_loss(average, videos.images, videos.actions, stage.schedule,
                          Noise.seeded(range(len(videos.images)))).loss
    assert state.record['plateau']['lowest'] == pytest.approx(float(loss.detach()))


def test_the_best_of_several_seeds_goes_on(tmp_path, capsys):
    assert cli.main(['train', '--preset', 'smoke', '--out', str(tmp_path), '--device', 'cpu',
                     '--threads', '1', '--seed', '5', '--pilots', '2', '--pilot-steps', '3']) == 0
    said = capsys.readouterr().out
    trials = [load_state(tmp_path / 'pilots' / f'seed_{seed}' / STATE) for seed in (5, 6)]
    assert [trial.step for trial in trials] == [3, 3]
    chosen = load_state(tmp_path / STATE)
    assert f'seed {chosen.seed} goes on' in said and chosen.step == 4
    assert 'resuming coarse at step 3' in said
    assert (tmp_path / 'smoke.safetensors').exists()


def test_trials_are_ranked_by_how_linearly_they_hold_position_then_by_error(tmp_path):
    def trial(**scores):
        return Trial(0, tmp_path, scores)

    ranked = [trial(mse=0.01, position_r2=0.95), trial(mse=0.02, position_r2=0.95),
              trial(mse=0.001, position_r2=0.6), trial(mse=0.0001)]
    assert sorted(reversed(ranked), key=lambda each: each.promise, reverse=True) == ranked


def test_curves_have_pictures(recipe, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    run(recipe, tmp_path)
    events = EventAccumulator(str(tmp_path / 'curves'), size_guidance={'images': 0})
    events.Reload()
    names = events.Tags()
    assert names['images'] == ['validation/frame, reconstruction, slots; prediction']
    assert 'D' in names['histograms'] and 'validation/fari' in names['scalars']
    # The files of two stages are read in the order of their names, not always that of stages.
    coarse, fine = sorted(events.Images(names['images'][0]), key=lambda image: image.step)
    stage = recipe.stages[1]
    rows = 3 * stage.frames + 3
    assert fine.height == rows * stage.image_size + 2 * (rows - 1)


def test_weights_infer_as_the_recipe_says_once_they_are_learned(recipe, tmp_path):
    last = replace(recipe.stages[-1], births=1, first_iterations=3)
    recipe = replace(recipe, stages=(*recipe.stages[:-1], last),
                     inference={'sigma_o': 0.1, 'iterations': 2})
    run(recipe, tmp_path)
    learned = load_checkpoint(tmp_path / 'smoke.safetensors')
    assert learned.config == replace(recipe.model, sigma_o=0.1)
    assert learned.schedule == replace(last.schedule, iterations=2, births=0)
    assert Recipe.from_dict(learned.record['recipe']) == recipe
