# SPDX-License-Identifier: Apache-2.0
"""Cost of perception against one setting at a time, all others as in a case."""
from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

from obai_ros.benchmark.case import Case
from obai_ros.benchmark.perception import Rig, seconds_of
from obai_ros.chart import BLUE, chart, VERMILION, write_png

VALUES = {'slots': (2, 3, 4, 6, 8, 12), 'window': (1, 2, 3, 4), 'iterations': (1, 2, 4, 8),
          'image_size': (32, 64, 96, 128)}
"""Of the panels of the figure."""
BATCHES = (1, 2, 4, 8)
ROUNDS = 5

TITLES = {'slots': 'slots K', 'window': 'window, frames', 'iterations': 'iterations per frame',
          'image_size': 'side of the image, px'}


def sweep(case: Case, settings: dict[str, tuple[int, ...]], frames: int, progress
          ) -> dict[str, dict[int, float]]:
    """
    Return the median milliseconds per frame for each value of each setting.

    All values of a setting take turns, in rounds, so that a machine that is busy for a while is
    so for all of them. frames: of each value, in all. progress(setting): called before each.
    """
    found = {}
    for setting, values in settings.items():
        progress(setting)
        rigs = {value: Rig(replace(case, **{setting: value})) for value in values}
        seconds = {value: [] for value in values}
        for _ in range(ROUNDS):
            for value, rig in rigs.items():
                rig.frame()  # what another has put out of the caches is not charged
                seconds[value] += [seconds_of(rig) for _ in range(max(1, frames // ROUNDS))]
        found[setting] = {value: 1e3 * statistics.median(seconds[value]) for value in values}
    return found


def draw(path: str | Path, case: Case, found: dict[str, dict[int, float]]) -> None:
    """Draw one panel for each setting in `TITLES`, as a PNG file."""
    figure, panels = chart(7.2, 5.6, rows=2, columns=2)
    chosen = case.describe()
    for axes, (setting, title) in zip(panels.flat, TITLES.items()):
        values, ms = list(found[setting]), list(found[setting].values())
        axes.plot(values, ms, color=BLUE, linewidth=2, marker='o', markersize=4)
        if chosen[setting] in found[setting]:
            here = chosen[setting], found[setting][chosen[setting]]
            axes.plot(*here, color=VERMILION, marker='o', markersize=7)
            axes.annotate(f'{here[1]:.3g} ms', here, xytext=(6, -12), textcoords='offset points',
                          color=VERMILION, fontsize=8)
        axes.set_xticks(values)
        axes.set_ylim(0, 1.1 * max(ms))
        axes.set_xlabel(title)
        axes.set_ylabel('ms per frame')
    figure.suptitle(f'{case.preset}, {case.engine} engine, {case.precision} on {case.device}: '
                    'median time of a frame', fontsize=10)
    write_png(path, figure)
