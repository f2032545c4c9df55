# SPDX-License-Identifier: Apache-2.0
"""The curve of a benchmark: distance to the goal against time, median and quartiles."""
from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from obai_ros.control.episodes import Episodes
from obai_ros.control.measures import ARRIVED, distances
from obai_ros.whole_file import write_bytes

COLOURS = {'feef': '#0072b2', 'eq14': '#d55e00', 'oracle': '#009e73', 'none': '#8a8a8a'}
NAMES = {'feef': 'FEEF', 'eq14': 'eq. 14', 'oracle': 'true states', 'none': 'no action'}


def draw(path: str | Path, task: str, results: dict[str, Episodes]) -> None:
    """Draw the distances of the targeted objects under each planner, as a PNG file."""
    import matplotlib
    matplotlib.use('Agg')  # no display is needed
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4.0), dpi=150, layout='constrained')
    for planner, episodes in results.items():
        values = distances(episodes).transpose(1, 2)[episodes.targeted].numpy()
        low, middle, high = np.percentile(values, (25, 50, 75), axis=0)
        steps = np.arange(values.shape[1])
        colour = COLOURS[planner]
        axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(steps, middle, color=colour, linewidth=2,
                  label=f'{NAMES[planner]}: {middle[-1]:.1f} px')
    axes.axhline(ARRIVED, color='#bbbbbb', linewidth=0.8, linestyle=':')
    # Objects that nobody stops leave the picture; they must not flatten what is of interest.
    axes.set_ylim(0, 64)
    axes.set_xlim(0, None)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel('step')
    axes.set_ylabel('distance to the goal (px)')
    count = len(next(iter(results.values())).goal)
    axes.set_title(f'{task}, {count} episodes: median and quartiles', fontsize=10, loc='left')
    axes.legend(frameon=False, fontsize=9)
    axes.spines[['top', 'right']].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis='y', color='#e6e6e6', linewidth=0.8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png')
    pyplot.close(figure)
    write_bytes(path, buffer.getvalue())
