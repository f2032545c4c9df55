# SPDX-License-Identifier: Apache-2.0
import os
import signal
import subprocess
import sys

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


@pytest.fixture(scope='session')
def run_program():
    """Return what runs Python code in a folder, as a program of its own; it says what that did."""
    def run(folder, code, *arguments):
        (folder / 'program.py').write_text(code)
        done = subprocess.run(
            [sys.executable, 'program.py', *arguments], cwd=folder, capture_output=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}, text=True, timeout=110)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout
    return run
