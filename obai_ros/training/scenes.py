# SPDX-License-Identifier: Apache-2.0
"""Scenes to try a model on."""
from __future__ import annotations

from obai_ros.environment.scene import SceneConfig
from obai_ros.model.checkpoint import Checkpoint


def scenes_of(checkpoint: Checkpoint, **settings) -> SceneConfig:
    """
    Return scenes in the size of a model's images, with as many objects as it has learned from.

    Where its record does not say, that is one for each slot but the background's. settings: others
    of `SceneConfig`.
    """
    scene = checkpoint.record.get('recipe', {}).get('scene', {})
    return SceneConfig(image_size=checkpoint.config.image_size,
                       num_objects=scene.get('num_objects', checkpoint.config.num_slots - 1),
                       **settings)
