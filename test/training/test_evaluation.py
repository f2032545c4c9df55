# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from obai_ros import cli
from obai_ros.environment.scene import SceneConfig
from obai_ros.model import device
from obai_ros.model.belief import Belief
from obai_ros.model.checkpoint import (Checkpoint, default_checkpoint, load_checkpoint,
                                       save_checkpoint)
from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.model.percept import describe_planes, Percept
from obai_ros.model.schedule import Schedule
from obai_ros.training.dataset import generate_dataset
from obai_ros.training.endurance import endurance, format_endurance, SCORES
from obai_ros.training.evaluation import (
    _ceiling, _pieces, bootstrap_interval, evaluate_dataset)
from obai_ros.training.identity import identity_over_time
from obai_ros.training.readout import Readout
from obai_ros.training.validation import frame_scores

SCENE = SceneConfig(image_size=32)


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return Obai(ModelConfig.named('smoke')).eval()


def percept_of(masks, appearance, belief=None, background=0):
    zeros = torch.zeros(masks.shape[:2])
    described = vars(describe_planes(appearance, masks, masks, appearance[:, 0]))
    described['background'] = torch.full((len(masks),), background)
    return Percept(
        belief=belief, **described, entropy=zeros, slot_free_energy=zeros, iterations=1,
        jumped=zeros[:, 0].bool(), renewed=zeros[:, 0].bool())


def test_a_perfect_percept_scores_perfectly():
    dataset = generate_dataset(SCENE, 8, 2, seed=0)
    images, labels, _ = dataset.part(0, 8)
    masks = torch.nn.functional.one_hot(labels[:, 0].long(), 4).permute(0, 3, 1, 2).float()
    appearance = images[:, 0, None].expand(-1, 4, -1, -1, -1)
    scores = frame_scores(percept_of(masks, appearance), images[:, 0], labels[:, 0])
    assert torch.equal(scores['ari'], torch.ones(8).double())
    assert float(scores['mse'].max()) == 0.0 and float(scores['mse_soft'].max()) < 1e-12


def test_hard_and_soft_composites_are_told_apart():
    masks = torch.tensor([0.75, 0.25])[None, :, None, None].expand(1, 2, 4, 4)
    appearance = torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])[None]
    scores = frame_scores(percept_of(masks, appearance), torch.zeros(1, 3, 4, 4),
                          torch.zeros(1, 4, 4, dtype=torch.uint8))
    assert float(scores['mse']) == 0.0 and float(scores['mse_soft']) == pytest.approx(0.0625)


def test_the_ceiling_is_lowered_by_invisible_objects_only():
    labels = torch.zeros(2, 8, 8, dtype=torch.uint8)
    labels[:, 1:4, 1:4], labels[:, 5:7, 5:7] = 1, 2
    image = torch.full((2, 3, 8, 8), 0.5)
    image[:, 0, 1:4, 1:4] = 1.0
    image[1, 1, 5:7, 5:7] = 1.0  # in the first image the second object has the ground's colour
    ari, fari = _ceiling(image, labels)
    assert float(ari[1]) == 1.0 and float(fari[1]) == 1.0
    assert float(ari[0]) < 1.0 and float(fari[0]) == 1.0
    # What is of one colour but apart is told apart; what touches is not.
    image[1, 1, 1:4, 1:4] = 1.0
    image[1, 0, 5:7, 5:7] = 1.0
    assert [float(score[1]) for score in _ceiling(image, labels)] == [1.0, 1.0]
    image[1, :2, 4, 4] = 1.0
    labels[1, 4, 4] = 1
    assert float(_ceiling(image, labels)[1][1]) < 1.0


def test_pieces_of_one_colour_are_told_apart_however_many_colours_there_are():
    colours = np.array([[1, 1, 2, 1], [2, 1, 2, 1], [3, 2, 1, 1], [3, 2, 2, 4]])
    found = _pieces(colours)
    expected = np.array([[0, 0, 1, 0], [1, 0, 1, 0], [2, 1, 0, 0], [2, 1, 1, 3]])
    pairs = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape == (2, 4) and found.max() == 3
    began = time.monotonic()
    for noise in np.random.default_rng(0).permuted(np.arange(20 * 64 * 64).reshape(20, 64, 64)):
        assert len(np.unique(_pieces(noise))) == noise.size
    assert time.monotonic() - began < 3.0, 'it took 0.4 s each when colours took turns'


def test_evaluation_reports_what_the_contract_names(model):
    report = evaluate_dataset(model, generate_dataset(SCENE, 6, 6, seed=0), Schedule(1, None, 2),
                              batch=4)
    assert {'ari', 'fari', 'mse', 'mse_soft', 'prediction_mse', 'sequences', 'ci95',
            'ceiling'} <= set(report)
    assert report['sequences'] == 6 and len(report['per_frame']['ari']) == 4
    assert len(report['per_frame']['prediction_mse']) == 2
    for name, (low, high) in report['ci95'].items():
        assert low <= report[name] <= high, name
    json.dumps(report)


def test_batches_do_not_change_scores(model):
    dataset = generate_dataset(SCENE, 5, 5, seed=0)
    one, two = (evaluate_dataset(model, dataset, Schedule(1, None, 2), batch=size)
                for size in (2, 5))
    assert one['ari'] == pytest.approx(two['ari'], abs=1e-4)
    assert one['prediction_mse'] == pytest.approx(two['prediction_mse'], rel=1e-4)


def test_images_of_another_size_are_refused(model):
    with pytest.raises(ValueError, match='16x16, the model expects 32x32'):
        evaluate_dataset(model, generate_dataset(SceneConfig(image_size=16), 2, 4, 0), Schedule())


def test_the_interval_covers_the_mean_of_what_is_defined():
    values = torch.cat([torch.randn(500, generator=torch.Generator().manual_seed(0)).double(),
                        torch.tensor([float('nan')]).double()])
    low, high = bootstrap_interval(values)
    assert low < float(values.nanmean()) < high
    assert high - low == pytest.approx(2 * 1.96 / 500 ** 0.5, rel=0.2)


def test_the_read_out_finds_a_position_that_is_there_and_the_effect_of_D(model):
    """Beliefs that contain the centre, scaled, and a D that pushes it by one pixel."""
    readout = Readout()
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        labels = torch.zeros(16, 32, 32, dtype=torch.uint8)
        place = torch.randint(0, 24, (16, 2), generator=generator)
        for index, (row, col) in enumerate(place.tolist()):
            labels[index, row:row + 8, col:col + 8] = 1
        masks = torch.nn.functional.one_hot(labels.long(), 4).permute(0, 3, 1, 2).float()
        mean = torch.zeros(16, 4, 8)
        mean[:, 1, 0] = 0.1 * (place[:, 1] + 4.0)
        mean[:, 1, 3] = -0.2 * (place[:, 0] + 4.0)
        belief = Belief(mean, mean, mean, mean)
        readout.add(percept_of(masks, torch.zeros(16, 4, 3, 32, 32), belief), labels)
    with torch.no_grad():
        model.dynamics.D.zero_()
        model.dynamics.D[0, 0], model.dynamics.D[3, 1] = 0.1, -0.2
    report = readout.fit(model)
    assert report['found'] == 1.0 and report['r2'] == pytest.approx([1.0, 1.0])
    assert report['rmse_px'] < 1e-4
    assert report['effect_of_D'] == [[1.0, 0.0], [0.0, 1.0]]


def test_identity_is_a_share_of_steps(model):
    checkpoint = Checkpoint(model, model.config, 'x', Schedule(1, None, 2), {})
    report = identity_over_time(checkpoint, sequences=4, frames=3, batch=2)
    assert 0.0 <= report['same_slot'] <= 1.0 and 0 < report['steps'] <= 4 * 2 * 3


@pytest.mark.parametrize('sequences', [8, pytest.param(200, marks=pytest.mark.long)])
def test_objects_keep_their_slot_in_what_is_shipped(sequences):
    report = identity_over_time(load_checkpoint(default_checkpoint()), sequences=sequences)
    assert report['steps'] > 15 * sequences and report['same_slot'] >= 0.95


def test_streams_are_scored_by_frame(model):
    checkpoint = Checkpoint(model, model.config, 'x', Schedule(1, None, 2), {})
    report = endurance(checkpoint, streams=3, frames=5)
    assert set(report) == set(SCORES) and all(len(values) == 5 for values in report.values())
    assert report == endurance(checkpoint, checkpoint.schedule.careful(), streams=3, frames=5)
    assert report != endurance(checkpoint, Schedule(2, None, 2), streams=3, frames=5)
    assert all(0.0 <= share <= 1.0 for share in report['found'])


@pytest.mark.parametrize('frames, rows', [(1, ['1']), (3, ['1', '2 to 3']), (5, [
    '1', '2 to 4', '5']), (24, ['1', '2 to 4', '5 to 8', '9 to 16', '17 to 24'])])
def test_frames_of_streams_are_reported_some_together(frames, rows):
    text = format_endurance({name: list(range(frames)) for name in SCORES})
    head, *lines = text.splitlines()
    assert [line[:20].strip() for line in lines] == rows
    assert head.split()[-len(SCORES):] == list(SCORES)
    if frames == 24:
        assert lines[1].split()[-1] == '2.0000' and lines[-1].split()[-1] == '19.5000'


def test_commands_generate_and_evaluate(model, tmp_path, capsys):
    weights, videos, scores = (tmp_path / name for name in (
        'smoke.safetensors', 'v.npz', 'scores.json'))
    save_checkpoint(weights, model, {}, Schedule(1, None, 2))
    assert cli.main(['generate', str(videos), '--sequences', '4', '--size', '32', '--frames',
                     '5']) == 0
    assert cli.main(['evaluate', '--checkpoint', str(weights), '--dataset', str(videos), '--json',
                     str(scores), '--device', 'cpu', '--precision', 'float32', '--streams', '2',
                     '--iterations', '2']) == 0
    said = capsys.readouterr().out
    # Streams are watched with as many refinements as videos.
    checkpoint = load_checkpoint(weights)
    watched = checkpoint.schedule.careful().changed(iterations=2)
    report = json.loads(scores.read_text())
    assert report['streams'] == pytest.approx(endurance(checkpoint, watched, streams=2))
    assert 'frames of a stream' in said and 'FARI' in said and 'paper' in said
    assert report['sequences'] == 4 and report['precision'] == 'float32'


def test_a_command_ends_with_a_sentence_about_weights_that_are_not_there(tmp_path):
    """In a process of its own: nothing else comes out of it."""
    refused = subprocess.run(
        [sys.executable, '-m', 'obai_ros.cli', 'evaluate', '--checkpoint', 'none.safetensors'],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}, cwd=tmp_path,
        capture_output=True, text=True, timeout=110)
    assert refused.returncode == 2 and 'does not exist' in refused.stderr
    assert refused.stderr.count('\n') == 1


@pytest.mark.parametrize('asked, able, used, words', [
    ('auto', False, 'float32', ''), ('auto', True, 'bfloat16', ''),
    ('bfloat16', False, 'bfloat16', 'several times as long as float32')])
def test_the_command_computes_and_reports_in_the_precision_of_the_processor(
        model, tmp_path, monkeypatch, capsys, asked, able, used, words):
    monkeypatch.setattr(device, '_computes_bfloat16', lambda _: able)
    save_checkpoint(tmp_path / 'smoke.safetensors', model, {}, Schedule(1, None, 2))
    assert cli.main(['evaluate', '--checkpoint', str(tmp_path / 'smoke.safetensors'),
                     '--sequences', '1', '--device', 'cpu', '--precision', asked, '--json',
                     str(tmp_path / 'scores.json')]) == 0
    assert json.loads((tmp_path / 'scores.json').read_text())['precision'] == used
    error = capsys.readouterr().err
    assert words in error and ('obai evaluate:' in error) == bool(words)
