# SPDX-License-Identifier: Apache-2.0
"""
Trials: short runs with several seeds, of which the best goes on.

Seeds differ more than recipes do, and early scores of segmentation do not tell which of them
will stall. How linearly slots hold position does (models/NOTES.md). Commands, messages and folders
call them pilots.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path

from obai_ros.training.bookkeeping import Diverged
from obai_ros.training.state import load_state
from obai_ros.whole_file import write_bytes

FOLDER = 'pilots'
"""Folder of the trials inside a run's folder."""


@dataclass(frozen=True)
class Trial:
    """A short run that has ended. scores: of its last validation."""

    seed: int
    folder: Path
    scores: dict

    @property
    def promise(self) -> tuple[float, float]:
        """Position R2 to one part in a hundred, then low error; -1 if no object was found, and
        an endless error if it is no number (such scores are not kept)."""
        return round(self.scores.get('position_r2', -1.0), 2), -self.scores.get('mse', inf)

    @property
    def words(self) -> str:
        """What it promises, for people; the truth of recordings may not be known."""
        error = f'MSE {self.scores["mse"]:.5f}'
        if 'position_r2' in self.scores:
            return f'position R2 {self.scores["position_r2"]:.2f}, {error}'
        return f'no object found, {error}' if 'ari' in self.scores else error


def try_seeds(folder: Path, seeds: range, steps: int, run: Callable[[int, Path, bool], bool],
              state: str, say=print) -> Trial | None:
    """
    Run one trial per seed and put the state of the best into `folder`, to be resumed.

    run(seed, folder, resume) trains until `steps` are done and tells whether it got there; state
    is the name of the file it leaves. What was done before is not done again, and a trial that
    was interrupted goes on. One that diverges is left out. Returns None when one is interrupted
    now. Raises Diverged when none is left.
    """
    trials = []
    for seed in seeds:
        place = folder / FOLDER / f'seed_{seed}'
        begun = (place / state).exists()
        try:
            if not (begun and _steps_done(place / state) >= steps) and not run(
                    seed, place, begun):
                return None
        except Diverged as error:
            say(f'pilot of seed {seed} diverged: {error}')
            continue
        trial = Trial(seed, place, load_state(place / state).record['stages'][-1])
        if trial.promise[1] == -inf:
            say(f'pilot of seed {seed} diverged: its error is no number')
            continue
        trials.append(trial)
        say(f'pilot of seed {seed}: {trial.words}')
    if not trials:
        raise Diverged(f'all pilots, of seeds {seeds[0]} to {seeds[-1]}, diverged: begin with a '
                       f'smaller learning rate')
    best = max(trials, key=lambda trial: trial.promise)
    write_bytes(folder / state, (best.folder / state).read_bytes())
    say(f'seed {best.seed} goes on')
    return best


def _steps_done(path: Path) -> int:
    state = load_state(path)
    return state.step + sum(stage.steps for stage in state.recipe.stages[:state.stage])
