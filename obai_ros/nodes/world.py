# SPDX-License-Identifier: Apache-2.0
"""The one scene that the simulator shows: numpy in, numpy out, around the environment."""

import numpy as np
import torch

from obai_ros.action_field import ActionField
from obai_ros.environment.photograph import episode_camera
from obai_ros.environment.scene import episode_generator, sample_scene, SceneConfig, step
from obai_ros.environment.shapes import SHAPES
from obai_ros.model.pixels import to_picture

NO_ACTION = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2), np.float32))
"""Points (row, col, acceleration) of an action field that does nothing."""


class World:
    """
    Episodes of random scenes: those of `obai control` with the same config and seed.

    image: [H, W, 3] uint8; labels: [H, W] uint8, 0 = background, n = object n; episode: counts
    from 0; step: images of this episode before the present one. photographs: whether images are
    what a camera would see (`environment.photograph`).
    """

    def __init__(self, config: SceneConfig, seed: int, photographs: bool = False):
        self._config = config
        self._seed = seed
        self._photographs = photographs
        self.episode = -1
        self.begin()

    def begin(self) -> None:
        """Begin the next episode."""
        self.episode += 1
        self._scene = sample_scene(self._config, 1, episode_generator(self._seed, self.episode))
        self._camera = episode_camera(self._config, self._photographs, self._seed, [self.episode])
        self.step = 0
        self._look()

    def advance(self, row, col, acceleration) -> None:
        """Let one frame pass under an action field on this image: [P], [P], [P, 2] px/frame^2."""
        row, col, acceleration = (
            torch.as_tensor(values)[None] for values in (row, col, acceleration))
        action = ActionField(row, col, acceleration, *self.labels.shape)
        self._scene = step(self._scene, self._labels, action)
        self.step += 1
        self._look()

    def objects(self) -> dict:
        """Return the true state, as obai_ros.messages.object_states.write takes it."""
        scene = self._scene
        numbers = {name: getattr(scene, name)[0].numpy()
                   for name in ('position', 'velocity', 'size', 'orientation', 'colour')}
        visible = np.bincount(self.labels.ravel(), minlength=scene.num_objects + 1)[1:]
        return {'shape': [SHAPES[index] for index in scene.shape[0]], **numbers,
                'visible_pixels': visible}

    def _look(self):
        images, self._labels = self._camera(self._scene)
        self.image = to_picture(images[0])
        self.labels = self._labels[0].numpy()
