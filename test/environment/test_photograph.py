# SPDX-License-Identifier: Apache-2.0
"""Scenes as a camera sees them: each thing that light and lens do, by itself."""
from dataclasses import replace

import pytest
import torch

from obai_ros import cli
from obai_ros.environment.photograph import (episode_camera, in_any_colours, Light, photograph,
                                             sample_light)
from obai_ros.environment.rendering import render
from obai_ros.environment.scene import sample_scene, Scene, SceneConfig
from obai_ros.environment.sequences import sample_sequences
from obai_ros.training.dataset import read_dataset

CONFIG = SceneConfig(num_objects=1)
PLAIN = Light(direction=torch.tensor([[1.0, 0.0]]), shade=torch.zeros(1), shadow=torch.zeros(1),
              height=torch.zeros(1), tint=torch.ones(1, 3), texture=torch.zeros(1, 1, 256, 256),
              vignette=torch.zeros(1), blur=0.01, noise=torch.zeros(1))
SQUARE = Scene(shape=torch.zeros(1, 1, dtype=torch.long), position=torch.tensor([[[32.0, 32.0]]]),
               velocity=torch.zeros(1, 1, 2), size=torch.tensor([[16.0]]),
               orientation=torch.zeros(1, 1), colour=torch.tensor([[[0.8, 0.4, 0.2]]]),
               background=torch.tensor([0.5]))


def seen(scene=SQUARE, seed=0, **light):
    return photograph(scene, replace(PLAIN, **light), CONFIG, torch.Generator().manual_seed(seed))


def test_in_flat_light_it_is_the_simulators_image_with_smooth_edges():
    config = SceneConfig()
    scene = sample_scene(config, 1, torch.Generator().manual_seed(0))
    image, labels = render(scene, config)
    found = photograph(scene, PLAIN, config, torch.Generator())
    inner = torch.nn.functional.max_pool2d(labels[:, None].float(), 3, 1, 1) == labels[:, None]
    inner &= -torch.nn.functional.max_pool2d(-labels[:, None].float(), 3, 1, 1) == labels[:, None]
    assert inner.float().mean() > .7
    assert torch.allclose(torch.where(inner, found, 0.0), torch.where(inner, image, 0.0))
    assert (found - image).abs().mean() < .02


def test_a_shadow_falls_away_from_the_light():
    shadow = seen(shadow=torch.tensor([0.4]), height=torch.tensor([0.25]))
    flat = seen()
    assert shadow[0, 0, 32, 23] == pytest.approx(.6 * .5, abs=.02)
    assert torch.equal(shadow[0, :, 32, 41:], flat[0, :, 32, 41:])
    assert torch.equal(shadow[0, :, 30:34, 30:34], flat[0, :, 30:34, 30:34])  # not on itself


def test_an_object_is_brighter_where_light_comes_from():
    row = seen(shade=torch.tensor([0.3]))[0, 0, 32]
    assert row[25] < row[32] < row[39]
    assert row[25] / .8 == pytest.approx(1 - .3 * 6.5 / 8, abs=1e-3)
    assert row[10] == row[50] == .5  # the table is lit all over


def test_table_lens_and_sensor():
    corner, middle = seen(vignette=torch.tensor([0.3]))[0, 0, 0, 0], .5
    assert corner == pytest.approx(middle * .7, abs=.01)
    tinted = seen(tint=torch.tensor([[1.0, 0.5, 1.0]]))[0, :, 5, 5]
    assert tinted.tolist() == pytest.approx([.5, .25, .5])
    textured = seen(texture=torch.full((1, 1, 256, 256), .1))[0, 0]
    assert textured[5, 5] == pytest.approx(.55) and textured[32, 32] == pytest.approx(.8)
    across = seen(blur=1.0)[0, 0, 32]
    assert .5 < across[23] < across[24] < .8
    one, same, other = (seen(noise=torch.tensor([.02]), seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert (one - seen()).std() == pytest.approx(.02, rel=.1)


def test_videos_have_a_light_of_their_own_and_colours_in_range():
    generator = torch.Generator().manual_seed(3)
    config = in_any_colours(SceneConfig())
    videos = sample_sequences(config, 4, 2, generator)
    light = sample_light(config, 4, generator)
    images = [photograph(scene, light, config, generator) for scene in videos.scenes]
    for image in images:
        assert image.shape == (4, 3, 64, 64) and image.dtype == torch.float32
        assert 0.0 <= image.min() and image.max() <= 1.0
    assert light.direction.norm(dim=-1).tolist() == pytest.approx([1.0] * 4)
    assert len(light.shade.unique()) == 4


def test_an_episode_has_its_light_whoever_else_is_photographed():
    generator = torch.Generator().manual_seed(3)
    scenes = sample_scene(CONFIG, 3, generator)
    together, alone, other = (episode_camera(CONFIG, True, seed, episodes) for seed, episodes in (
        (7, [0, 1, 2]), (7, [1]), (8, [1])))
    flat, truth = episode_camera(CONFIG, False, 7, [0, 1, 2])(scenes)
    assert torch.equal(flat, render(scenes, CONFIG)[0])
    for _ in range(2):
        (images, labels), (image, label) = together(scenes), alone(scenes[1:2])
        assert torch.equal(images[1:2], image) and torch.equal(labels[1:2], label)
        assert torch.equal(labels, truth)
    assert not torch.allclose(other(scenes[1:2])[0], image, atol=.02)


def test_a_file_of_photographs_has_the_truth_of_sprites(tmp_path):
    path = tmp_path / 'seen.npz'
    assert cli.main(['generate', str(path), '--photographs', '--sequences', '3', '--frames', '2',
                     '--seed', '5']) == 0
    dataset = read_dataset(path)
    generator = torch.Generator().manual_seed(2 ** 41 + 5)
    videos = sample_sequences(in_any_colours(SceneConfig()), 3, 2, generator)
    assert torch.equal(torch.from_numpy(dataset.masks), videos.labels)
    images = torch.from_numpy(dataset.images).movedim(-1, 2) / 255.0
    off = (images - videos.images).abs().mean((1, 2, 3, 4))
    assert (off > .005).all() and (off < .2).all()
