# SPDX-License-Identifier: Apache-2.0
"""Cost of perception against one setting at a time, all others as in a case."""
from __future__ import annotations

import io
import statistics
from dataclasses import replace
from pathlib import Path

from obai_ros.benchmark.case import Case
from obai_ros.benchmark.perception import Rig, seconds_of
from obai_ros.whole_file import write_bytes

VALUES = {'slots': (2, 3, 4, 6, 8, 12), 'window': (1, 2, 3, 4), 'iterations': (1, 2, 4, 8),
          'image_size': (32, 64, 96, 128)}
"""Of the panels of the figure."""
BATCHES = (1, 2, 4, 8)
ROUNDS = 5

TITLES = {'slots': 'slots K', 'window': 'window, frames', 'iterations': 'iterations per frame',
          'image_size': 'side of the image, px'}
COLOUR, MARK = '#0072b2', '#d55e00'


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
    import matplotlib
    matplotlib.use('Agg')  # no display is needed
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 2, figsize=(7.2, 5.6), dpi=150, layout='constrained')
    chosen = case.describe()
    for axes, (setting, title) in zip(panels.flat, TITLES.items()):
        values, ms = list(found[setting]), list(found[setting].values())
        axes.plot(values, ms, color=COLOUR, linewidth=2, marker='o', markersize=4)
        if chosen[setting] in found[setting]:
            here = chosen[setting], found[setting][chosen[setting]]
            axes.plot(*here, color=MARK, marker='o', markersize=7)
            axes.annotate(f'{here[1]:.3g} ms', here, xytext=(6, -12), textcoords='offset points',
                          color=MARK, fontsize=8)
        axes.set_xticks(values)
        axes.set_ylim(0, 1.1 * max(ms))
        axes.set_xlabel(title)
        axes.set_ylabel('ms per frame')
        axes.spines[['top', 'right']].set_visible(False)
        axes.set_axisbelow(True)
        axes.grid(axis='y', color='#e6e6e6', linewidth=0.8)
    figure.suptitle(f'{case.preset}, {case.engine} engine, {case.precision} on {case.device}: '
                    'median time of a frame', fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png')
    pyplot.close(figure)
    write_bytes(path, buffer.getvalue())
