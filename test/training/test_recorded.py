# SPDX-License-Identifier: Apache-2.0
"""Recordings as something to learn from and to evaluate on; reading them is in test/recording."""
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from obai_ros import cli
from obai_ros.environment.scene import SceneConfig, step
from obai_ros.model.checkpoint import load_checkpoint
from obai_ros.training.dataset import Dataset, generate_dataset, write_dataset
from obai_ros.training.learner import draw_batch
from obai_ros.training.recipe import preset_path, read_recipe
from obai_ros.training.recorded import Clips, Recorded, read_footage, recorded_dataset, smaller
from obai_ros.training.run import STATE
from obai_ros.training.state import load_state, save_state


@pytest.fixture
def videos(tmp_path):
    """Return a file of 10 videos of 6 frames, 32 px."""
    dataset = generate_dataset(SceneConfig(image_size=32), 10, 6, seed=3)
    write_dataset(tmp_path / 'videos.npz', dataset)
    return tmp_path / 'videos.npz'


def camera(path, frames=30, side=40):
    """Write a video of a square that moves, without truth or actions."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (side + 20, side))
    for frame in range(frames):
        image = np.full((side, side + 20, 3), 60, np.uint8)
        image[10:20, 10 + frame:20 + frame] = 250
        writer.write(image)
    writer.release()


def test_a_file_gives_the_clips_that_it_holds(videos):
    whole = generate_dataset(SceneConfig(image_size=32), 10, 6, seed=3)
    footage = read_footage(videos, 32)
    assert footage.frames == 60 and footage.pieces == 10
    images, labels, actions = footage.clips(footage.in_a_row(6), 6)
    assert np.array_equal(images, whole.images) and np.array_equal(labels, whole.masks)
    both = (Dataset(images, labels, rows).part(0, 10)[2][1].dense()
            for rows in (actions, whole.actions))
    assert torch.equal(*both)


def test_what_was_drawn_is_never_held_out_and_depends_on_the_seed(videos, recipe):
    stage = recipe.stages[1]
    recorded = Recorded(read_footage(videos, 32), 'videos.npz')
    held_out = recorded.validation_clips(stage, 96)
    assert held_out.images.shape == (2, 3, 3, 32, 32)
    one, two = (recorded.draw(stage, 200, torch.Generator().manual_seed(seed), 'cpu')
                for seed in (0, 0))
    other = recorded.draw(stage, 200, torch.Generator().manual_seed(1), 'cpu')
    assert torch.equal(one.images, two.images) and not torch.equal(one.images, other.images)
    for clip in held_out.images:
        assert not (one.images == clip).flatten(1).all(1).any()
    batches = [draw_batch(recipe, 1, 0, 5, shard, 2, 'cpu', recorded)[0].images
               for shard in (0, 0, 1)]
    assert torch.equal(batches[0], batches[1]) and not torch.equal(batches[0], batches[2])


def test_smaller_clips_move_as_the_large_ones_do():
    """Sizes, positions and accelerations shrink together, so the dynamics stay the same."""
    from obai_ros.environment.sequences import sample_sequences
    large = SceneConfig(image_size=128)
    videos = sample_sequences(large, 8, 3, torch.Generator().manual_seed(0))
    clips = smaller(Clips(videos.images, videos.labels, videos.actions), 2)
    assert clips.images.shape == (8, 3, 3, 64, 64) and clips.labels.shape == (8, 3, 64, 64)
    scene = videos.scenes[1]
    shrunk = replace(scene, position=scene.position / 2, velocity=scene.velocity / 2)
    moved = step(shrunk, clips.labels[:, 1], clips.actions[1]).position
    true = step(scene, videos.labels[:, 1], videos.actions[1]).position / 2
    # A point at the very edge of an object may miss its smaller copy.
    assert ((moved - true).abs().amax(-1) < 1e-5).float().mean() > 0.9


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_a_model_learns_from_videos_and_is_evaluated_on_them(tmp_path, capsys):
    (tmp_path / 'videos').mkdir()
    camera(tmp_path / 'videos' / 'one.avi')
    train = ('train', '--preset', 'smoke', '--out', tmp_path / 'run', '--device', 'cpu',
             '--data', tmp_path / 'videos')
    assert run(*train) == 0
    said = capsys.readouterr().out
    assert '30 frames in 1 unbroken pieces' in said and 'without the truth' in said
    assert 'MSE' in said and 'ARI' not in said
    weights = tmp_path / 'run' / 'smoke.safetensors'
    assert load_checkpoint(weights).record['data']['name'] == 'videos'
    assert run('evaluate', '--checkpoint', weights, '--data', tmp_path / 'videos', '--device',
               'cpu', '--starts', 1, '--json', tmp_path / 'scores.json') == 0
    scores = json.loads((tmp_path / 'scores.json').read_text())
    assert {'mse', 'prediction_mse', 'free_energy'} < scores.keys() and 'ari' not in scores
    assert scores['sequences'] == 3
    assert 'no truth' in capsys.readouterr().out


def documented():
    """Return the commands of the pages that learn from recordings, at least one of each page."""
    root = Path(__file__).parents[2]
    found = [re.findall(r'^    (obai train --data bag.*)$', page.read_text(), re.M)
             for page in (root / 'README.md', root / 'docs' / 'recording.md')]
    assert all(found)
    return [shlex.split(line, comments=True)[1:] for lines in found for line in lines]


@pytest.mark.parametrize('command', documented(), ids=' '.join)
def test_a_model_learns_from_recordings_by_the_command_that_is_documented(
        tmp_path, monkeypatch, capsys, command):
    (tmp_path / 'bag').mkdir()
    camera(tmp_path / 'bag' / 'one.avi')
    monkeypatch.chdir(tmp_path)
    assert run(*command, '--max-minutes', 0, '--device', 'cpu') == 3, capsys.readouterr().err
    (weights,) = (tmp_path / 'out').glob('*/fast.safetensors')
    recipe = load_checkpoint(weights).record['recipe']
    assert recipe.pop('precision') in ('float32', 'bfloat16')  # whichever `auto` was here
    asked = json.loads(json.dumps(read_recipe(preset_path('recorded')).to_dict()))
    assert asked.pop('precision') == 'auto' and recipe == asked


def test_a_recipe_of_streams_is_refused_with_the_one_to_take(tmp_path, videos, capsys):
    assert run('train', '--preset', 'fast', '--data', videos, '--out', tmp_path / 'run') == 2
    path = re.search(r'such as --recipe (\S+)$', capsys.readouterr().err)[1]
    assert not any(stage.streams for stage in read_recipe(path).stages)


def test_a_run_goes_on_only_with_what_it_began_with(tmp_path, videos, capsys, monkeypatch):
    train = ('train', '--preset', 'smoke', '--out', tmp_path / 'run', '--device', 'cpu')
    assert run(*train, '--data', videos, '--max-minutes', 0) == 3
    assert run(*train, '--resume') == 2
    assert 'learned from videos.npz: continue it with --data' in capsys.readouterr().err
    write_dataset(tmp_path / 'other.npz', generate_dataset(SceneConfig(image_size=32), 4, 6, 0))
    assert run(*train, '--resume', '--data', tmp_path / 'other.npz') == 2
    assert 'continue it with what it began with' in capsys.readouterr().err
    assert run(*train, '--resume', '--data', videos) == 0
    assert 'ARI' in capsys.readouterr().out
    assert run(*train[:4], tmp_path / 'simulated', '--device', 'cpu', '--max-minutes', 0) == 3
    assert run(*train[:4], tmp_path / 'simulated', '--device', 'cpu', '--resume', '--data',
               videos) == 2
    assert 'learned from the simulator' in capsys.readouterr().err


def test_a_run_goes_on_only_with_what_it_began_with_seen_in_the_same_way(tmp_path, capsys):
    camera(tmp_path / 'one.avi')
    train = ('train', '--preset', 'smoke', '--out', tmp_path / 'run', '--device', 'cpu', '--data',
             tmp_path / 'one.avi')
    assert run(*train, '--resize', 'letterbox', '--max-minutes', 0) == 3
    assert run(*train, '--resume') == 2
    assert re.search("learned from {.*'resize': 'letterbox'.* with what it began with, --resize",
                     capsys.readouterr().err)
    assert run(*train, '--resume', '--resize', 'letterbox', '--max-minutes', 0) == 3


def test_a_run_of_before_that_was_kept_goes_on(tmp_path, videos):
    train = ('train', '--preset', 'smoke', '--out', tmp_path / 'run', '--device', 'cpu', '--data',
             videos)
    assert run(*train, '--max-minutes', 0) == 3
    state = load_state(tmp_path / 'run' / STATE)
    for name in ('resize', 'origin'):
        del state.record['data'][name]
    save_state(tmp_path / 'run' / STATE, state)
    assert run(*train, '--resume', '--max-minutes', 0) == 3
    assert load_state(tmp_path / 'run' / STATE).record['data']['resize'] == 'crop'


def broken_video(folder):
    (folder / 'broken.mp4').write_bytes(b'this is no video')
    return folder / 'broken.mp4'


def short_video(folder):
    camera(folder / 'short.avi', frames=4)
    return folder / 'short.avi'


def empty_folder(folder):
    (folder / 'empty').mkdir()
    return folder / 'empty'


@pytest.mark.parametrize('make, complaint', [
    (lambda folder: folder / 'nothing', 'nothing does not exist: expected a folder of videos'),
    (broken_video, 'broken.mp4 cannot be read'),
    (short_video, "4 frames in 1 unbroken pieces, too few for stage 'fine'.*record for longer"),
    (empty_folder, 'holds no image')])
def test_what_cannot_be_learned_from_is_refused_before_any_work(tmp_path, capsys, make, complaint):
    made = make(tmp_path)
    assert run('train', '--preset', 'smoke', '--out', tmp_path / 'run', '--data', made) == 2
    error = capsys.readouterr().err
    assert re.search(complaint, error), error
    assert error.count('\n') == 1 and not (tmp_path / 'run').exists()


def test_an_image_topic_without_a_bag_is_refused(videos, tmp_path):
    (tmp_path / 'v').mkdir()
    camera(tmp_path / 'v' / 'one.avi', 8)
    for read in (read_footage, recorded_dataset):
        for path in (tmp_path / 'v', videos):
            with pytest.raises(ValueError, match='no bag, so --image-topic means nothing'):
                read(path, 32, 'image_raw')


def test_a_file_of_another_size_is_evaluated_in_the_size_of_the_model(tmp_path):
    """As it is learned from: the very images, truth and accelerations."""
    made = generate_dataset(SceneConfig(image_size=48), 3, 6, seed=0)
    write_dataset(tmp_path / 'large.npz', made)
    for resize in ('crop', 'letterbox', 'stretch'):
        fitted = recorded_dataset(tmp_path / 'large.npz', 32, resize=resize)
        assert fitted.images.shape == (3, 6, 32, 32, 3) and fitted.masks.any()
        footage = read_footage(tmp_path / 'large.npz', 32, resize=resize)
        images, labels, actions = footage.clips(footage.in_a_row(6), 6)
        assert np.array_equal(fitted.images, images) and np.array_equal(fitted.masks, labels)
        assert np.array_equal(fitted.actions, actions)
        np.testing.assert_allclose(fitted.actions[:, 4:], made.actions[:, 4:] * 32 / 48, rtol=1e-5)
    same = recorded_dataset(tmp_path / 'large.npz', 48)
    assert np.array_equal(same.images, made.images) and np.array_equal(same.actions, made.actions)


def test_clips_for_evaluation_are_as_long_as_there_is_footage(tmp_path):
    for frames, clips in ((17, (2, 8)), (7, (1, 4))):
        camera(tmp_path / 'v.avi', frames)
        assert recorded_dataset(tmp_path / 'v.avi', 16).images.shape[:2] == clips
    camera(tmp_path / 'v.avi', 3)
    with pytest.raises(ValueError, match='expected at least 4 frames in a row'):
        recorded_dataset(tmp_path / 'v.avi', 16)
