# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
import torch

from obai_ros.action_field import ActionField
from obai_ros.environment.rendering import render
from obai_ros.environment.scene import (Scene, SceneConfig, object_accelerations, sample_scene,
                                        step)

CONFIG = SceneConfig()


def squares(*positions, size=10.0):
    """Make a scene of red, green, blue axis-aligned squares on a grey ground."""
    count = len(positions)
    return Scene(
        shape=torch.zeros(1, count, dtype=torch.int64), position=torch.tensor([positions]),
        velocity=torch.zeros(1, count, 2), size=torch.full((1, count), size),
        orientation=torch.zeros(1, count), colour=torch.eye(3)[None, :count],
        background=torch.tensor([0.5]))


def field(*points):
    """Make an action field of points (row, col, ax, ay)."""
    values = torch.tensor(points, dtype=torch.float32)[None]
    return ActionField(values[..., 0].long(), values[..., 1].long(), values[..., 2:], 64, 64)


def test_a_square_covers_exactly_its_pixels():
    image, labels = render(squares((20.0, 30.0)), CONFIG)
    expected = torch.zeros(64, 64, dtype=torch.uint8)
    expected[25:35, 15:25] = 1
    assert torch.equal(labels[0], expected)
    assert torch.equal(image[0, :, 30, 20], torch.tensor([1.0, 0.0, 0.0]))
    assert torch.equal(image[0, :, 0, 0], torch.full((3,), 0.5))


def test_motion_is_sub_pixel():
    moved = replace(squares((20.0, 30.0)), position=torch.tensor([[[20.6, 30.0]]]))
    labels = render(moved, CONFIG)[1][0]
    assert labels[30, 15] == 0 and labels[30, 25] == 1  # one column further


def test_nearer_objects_hide_farther_ones():
    labels = render(squares((20.0, 30.0), (24.0, 30.0)), CONFIG)[1][0]
    assert labels[30, 20] == 2 and labels[30, 16] == 1


def test_only_visible_pixels_feel_a_force_and_points_add_up():
    scene = squares((20.0, 30.0), (24.0, 30.0))
    labels = render(scene, CONFIG)[1]
    action = field((30, 20, 5.0, 0.0), (30, 16, 1.0, -2.0), (31, 16, 1.0, 0.5), (0, 0, 9.0, 9.0))
    received = object_accelerations(labels, action, 2)
    assert torch.equal(received, torch.tensor([[[2.0, -1.5], [5.0, 0.0]]]))


def test_velocity_changes_before_position():
    scene = replace(squares((20.0, 30.0)), velocity=torch.tensor([[[1.0, 0.0]]]))
    labels = render(scene, CONFIG)[1]
    after = step(scene, labels, field((30, 20, 2.0, -1.0)))
    assert torch.equal(after.velocity, torch.tensor([[[3.0, -1.0]]]))
    assert torch.equal(after.position, torch.tensor([[[23.0, 29.0]]]))


def test_background_actions_change_nothing():
    scene = squares((20.0, 30.0))
    labels = render(scene, CONFIG)[1]
    after = step(scene, labels, field((0, 0, 7.0, 7.0)))
    assert torch.equal(after.position, scene.position)


def test_a_field_for_another_grid_is_refused():
    scene = squares((20.0, 30.0))
    labels = render(scene, CONFIG)[1]
    with pytest.raises(ValueError, match='32x32 grid.*64x64'):
        step(scene, labels, ActionField.empty(1, 32, 32))


def test_the_same_generator_state_gives_the_same_scene():
    one = sample_scene(CONFIG, 5, torch.Generator().manual_seed(3))
    two = sample_scene(CONFIG, 5, torch.Generator().manual_seed(3))
    assert torch.equal(one.position, two.position) and torch.equal(one.colour, two.colour)


def test_sampled_scenes_follow_the_configuration():
    scene = sample_scene(CONFIG, 4000, torch.Generator().manual_seed(0))
    assert scene.position.min() >= 0.2 * 64 and scene.position.max() <= 0.8 * 64
    assert scene.size.min() >= 64 / 6 - 1e-4 and scene.size.max() <= 64 / 3 + 1e-4
    assert scene.velocity.std() == pytest.approx(4.0, rel=0.03)
    assert set((scene.colour * 255).round().unique().tolist()) == {0, 63, 127, 191, 255}
    assert torch.bincount(scene.shape.flatten()).min() > 3500
    small = sample_scene(replace(CONFIG, image_size=32), 4000, torch.Generator().manual_seed(0))
    assert small.velocity.std() == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize('settings, complaint', [
    ({'shapes': ('triangle',)}, 'triangle'), ({'image_size': 2}, 'image_size is 2'),
    ({'num_objects': 0}, 'num_objects is 0'), ({'palette': (300,)}, 'palette'),
    ({'position_range': (0.8, 0.2)}, 'position_range'),
    ({'size_range': (0.0, 0.2)}, 'size_range')])
def test_impossible_configurations_are_refused(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        SceneConfig(**settings)
