# SPDX-License-Identifier: Apache-2.0
"""What the shipped model sees in pictures of fewer objects than it has slots."""
import pytest
import torch

from obai_ros.environment.rendering import render
from obai_ros.environment.scene import sample_scene, SceneConfig
from obai_ros.model.checkpoint import default_checkpoint, load_checkpoint
from obai_ros.model.engines.choice import direct_engine
from obai_ros.model.filter import Filter
from obai_ros.planning.goal_image import look


@pytest.fixture(scope='module')
def eyes():
    checkpoint = load_checkpoint(default_checkpoint())
    return Filter(checkpoint.model, checkpoint.schedule.careful(),
                  direct_engine(checkpoint.model))


def test_there_is_nothing_in_plain_pictures(eyes):
    greys = torch.tensor([0, 63, 127, 191, 255]) / 255
    sights = look(eyes, greys[:, None, None, None].expand(5, 3, 64, 64).contiguous())
    assert [int(sight.objects.sum()) for sight in sights] == [0] * 5
    assert all(bool((sight.labels == 0).all()) for sight in sights)


@pytest.mark.parametrize('objects', [1, 2])
def test_spare_slots_are_no_objects(eyes, objects):
    config = SceneConfig(num_objects=objects)
    scene = sample_scene(config, 10, torch.Generator().manual_seed(objects))
    images, labels = render(scene, config)
    shown = [len(each.unique()) - 1 for each in labels]
    found = [int(sight.objects.sum()) for sight in look(eyes, images)]
    assert sum(one == other for one, other in zip(found, shown)) >= 8
