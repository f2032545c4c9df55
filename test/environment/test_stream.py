# SPDX-License-Identifier: Apache-2.0
"""Streams: what is pushed stays in view, and is pushed where it shows."""
from dataclasses import replace

import pytest
import torch

from obai_ros.environment.rendering import render
from obai_ros.environment.scene import SceneConfig, step
from obai_ros.environment.sequences import random_action
from obai_ros.environment.stream import begin_stream, EDGE, go_on, guided_action

CONFIG = SceneConfig(image_size=32)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def inside(scene):
    return ((scene.position > 0) & (scene.position < 32)).all(-1)


def test_objects_stay_in_view_which_random_accelerations_would_not_do():
    generator = chance()
    guided = begin_stream(CONFIG, 64, generator)
    scene, labels = guided.scene, guided.labels
    for _ in range(25):
        guided, _ = go_on(guided, CONFIG, generator)
        scene = step(scene, labels, random_action(labels, CONFIG, generator))
        _, labels = render(scene, CONFIG)
    assert inside(guided.scene).float().mean() > 0.8
    assert inside(scene).float().mean() < 0.3


def test_some_scenes_are_piles():
    stream = begin_stream(CONFIG, 400, chance())
    together = (stream.place == stream.place[:, :1]).all((1, 2))
    assert together.float().mean() == pytest.approx(0.4, abs=0.08)
    low, high = EDGE * 32, (1 - EDGE) * 32
    assert ((stream.place >= low) & (stream.place <= high)).all()


def test_each_push_is_on_its_object_and_what_is_hidden_gets_none():
    stream = begin_stream(CONFIG, 50, chance(1))
    hidden = stream.labels.clone()
    hidden[hidden == 2] = 3
    stream = replace(stream, labels=hidden)
    field = guided_action(stream, CONFIG, chance(2))
    owner = hidden.flatten(1).gather(1, field.flat_index())
    acts = field.acceleration.abs().sum(-1) > 0
    for index, number in enumerate((1, 2, 3, 0)):
        assert (owner[:, index][acts[:, index]] == number).all()
    assert not acts[:, 1].any() and acts[:, 2].any()
    assert field.acceleration[:, :3].abs().max() <= 3.0  # 6 px/frame^2 at 64 px


def test_the_same_generator_gives_the_same_stream():
    ends = []
    for _ in range(2):
        generator = chance(3)
        stream = begin_stream(CONFIG, 2, generator)
        for _ in range(4):
            stream, field = go_on(stream, CONFIG, generator)
        ends.append((stream.image, stream.place, field.acceleration))
    assert all(torch.equal(one, two) for one, two in zip(*ends))


def test_the_next_scene_follows_from_the_field():
    stream = begin_stream(CONFIG, 3, chance(4))
    after, field = go_on(stream, CONFIG, chance(5))
    expected = step(stream.scene, stream.labels, field)
    assert torch.equal(after.scene.position, expected.position)
    assert torch.equal(after.scene.velocity, expected.velocity)
