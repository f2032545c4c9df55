# SPDX-License-Identifier: Apache-2.0
"""The simulator's scene, without ROS."""

import numpy as np
from obai_ros.environment.scene import SceneConfig
from obai_ros.nodes.world import NO_ACTION, World

CONFIG = SceneConfig(image_size=32, num_objects=2)


def push_all(world, way):
    row, col = np.nonzero(world.labels)
    return row, col, np.repeat(np.array([way], np.float32), len(row), 0)


def test_the_same_seed_gives_the_same_episodes_whatever_is_done_in_them():
    one, other = World(CONFIG, seed=7), World(CONFIG, seed=7)
    for _ in range(3):
        np.testing.assert_array_equal(one.image, other.image)
        one.advance(*push_all(one, (.01, 0)))
        one.begin()
        other.begin()
    assert not np.array_equal(World(CONFIG, seed=8).image, World(CONFIG, seed=7).image)


def test_photographs_are_of_the_same_scene_and_the_same_for_a_seed():
    flat, one, other = World(CONFIG, 7), World(CONFIG, 7, True), World(CONFIG, 7, True)
    for _ in range(2):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.labels, flat.labels)
        off = np.abs(one.image.astype(int) - flat.image)
        assert 1 < off.mean() < 60
        for world in (flat, one, other):
            world.begin()


def test_counts():
    world = World(CONFIG, seed=0)
    assert (world.episode, world.step) == (0, 0)
    world.advance(*NO_ACTION)
    assert (world.episode, world.step) == (0, 1)
    world.begin()
    assert (world.episode, world.step) == (1, 0)


def test_the_state_is_that_of_the_image_and_follows_the_action():
    world = World(CONFIG, seed=1)
    before = world.objects()
    assert before['visible_pixels'].tolist() == [(world.labels == n).sum() for n in (1, 2)]
    assert world.image.shape == (32, 32, 3) and world.image.dtype == np.uint8
    assert world.labels.shape == (32, 32) and world.labels.dtype == np.uint8
    world.advance(*push_all(world, (.125, -.25)))
    after = world.objects()
    push = before['visible_pixels'][:, None] * np.array([.125, -.25])
    np.testing.assert_allclose(after['velocity'], before['velocity'] + push, atol=1e-4)
    np.testing.assert_allclose(
        after['position'], before['position'] + after['velocity'], atol=1e-4)
