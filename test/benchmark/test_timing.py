# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from obai_ros.benchmark.timing import clips, time_training
from obai_ros.training.recipe import preset_path, read_recipe


@pytest.mark.parametrize('preset', ['fast', 'paper', 'smoke'])
def test_learning_is_timed_on_clips_whatever_the_recipe_learns_from(preset):
    recipe = read_recipe(preset_path(preset))
    stage, = clips(recipe, 6).stages
    assert (stage.frames, stage.batch, stage.image_size) == (4, 6, recipe.model.image_size)
    assert not stage.streams and not stage.births
    last = recipe.stages[-1]
    assert (stage.iterations, stage.first_iterations, stage.window, stage.seeds) == (
        last.iterations, last.first_iterations, last.window, last.seeds)


def test_sequences_are_counted(monkeypatch):
    monkeypatch.setattr('obai_ros.benchmark.timing._rate', lambda step, seconds: step() or 3.0)
    found = time_training(clips(read_recipe(preset_path('smoke')), 2), torch.device('cpu'))
    assert found == {'sequences_per_s': 6.0, 'batch': 2, 'precision': 'float32', 'frames': 4,
                     'refinements': 8}
