# SPDX-License-Identifier: Apache-2.0
import pytest

from obai_ros.training.recipe import preset_path, read_recipe


@pytest.fixture
def recipe():
    """Return the recipe that learns nothing, quickly."""
    return read_recipe(preset_path('smoke'))
