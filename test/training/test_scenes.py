# SPDX-License-Identifier: Apache-2.0
"""What models are tried on."""
from dataclasses import replace

import pytest

from obai_ros.model.checkpoint import load_checkpoint, save_checkpoint
from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.training.scenes import scenes_of


@pytest.mark.parametrize('record, objects', [
    ({}, 4), ({'recipe': {'scene': {'num_objects': 2}}}, 2), ({'recipe': {'scene': {}}}, 4)])
def test_a_model_is_tried_on_as_many_objects_as_it_has_learned_from(tmp_path, record, objects):
    model = Obai(replace(ModelConfig.named('smoke'), num_slots=5))
    save_checkpoint(tmp_path / 'five.safetensors', model, record)
    checkpoint = load_checkpoint(tmp_path / 'five.safetensors')
    scene = scenes_of(checkpoint, velocity_sd=1.0)
    assert (scene.num_objects, scene.image_size, scene.velocity_sd) == (objects, 32, 1.0)
