# SPDX-License-Identifier: Apache-2.0
import os
import signal

import pytest

from obai_ros.training.learner import Learner
from obai_ros.training.recipe import preset_path, read_recipe


@pytest.fixture
def recipe():
    """Return the recipe that learns nothing, quickly."""
    return read_recipe(preset_path('smoke'))


@pytest.fixture
def interrupt(monkeypatch):
    """Return what interrupts training after so many steps from now, once, by SIGTERM."""
    plain = Learner.optimizer_step

    def interrupt_after(steps):
        left = [steps]

        def step_and_interrupt(self, *args, **kwargs):
            plain(self, *args, **kwargs)
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(Learner, 'optimizer_step', step_and_interrupt)

    return interrupt_after
