# SPDX-License-Identifier: Apache-2.0
"""Episodes made without ROS: the environment, and a controller that knows the truth."""
import numpy as np
from obai_ros.action_field import ActionField
from obai_ros.demo.records import Episode, Frame
from obai_ros.environment.rendering import render
from obai_ros.environment.scene import sample_scene, SceneConfig, step
import pytest
import torch


def _rgb8(image):
    return (image[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


def _push(scene, labels, goal):
    """Return the dead-beat action on one visible pixel of each object."""
    rows, cols, accelerations = [], [], []
    for index in range(scene.num_objects):
        row, col = torch.nonzero(labels[0] == index + 1, as_tuple=True)
        if len(row):
            rows.append(int(row[len(row) // 2]))
            cols.append(int(col[len(row) // 2]))
            residual = torch.tensor(goal) - scene.position[0, index] - 2 * scene.velocity[0, index]
            accelerations.append((0.4 * residual).tolist())
    return ActionField(torch.tensor([rows], dtype=torch.int64),
                       torch.tensor([cols], dtype=torch.int64),
                       torch.tensor(accelerations).reshape(1, -1, 2), *labels.shape[1:])


def make_episode(seed, steps=15, goal=(30.0, 36.0), push=True, size=64):
    """Run one episode of the environment; push: with the controller, else without action."""
    config = SceneConfig(image_size=size)
    scene = sample_scene(config, 1, torch.Generator().manual_seed(seed))
    frames = []
    for number in range(steps + 1):
        image, labels = render(scene, config)
        field = _push(scene, labels, goal) if push else ActionField.empty(1, size, size)
        frames.append(Frame(
            position=scene.position[0].numpy(), velocity=scene.velocity[0].numpy(),
            image=_rgb8(image), labels=labels[0].numpy(),
            reconstruction=np.uint8(0.9 * _rgb8(image)),
            arrows=(field.row[0].numpy(), field.col[0].numpy(), *field.acceleration[0].numpy().T),
            time=100.0 * seed + 0.1 * number))
        scene = step(scene, labels, field)
    return Episode(goal, tuple(frames))


@pytest.fixture
def episode():
    return make_episode


@pytest.fixture(scope='session')
def episodes():
    """Three pushed episodes of 15 steps, 0.1 s per step."""
    return [make_episode(seed) for seed in range(3)]
