# SPDX-License-Identifier: Apache-2.0
"""The curve of a benchmark: distance to the goal against time, median and quartiles."""
from __future__ import annotations

from pathlib import Path

from obai_ros.chart import BLUE, chart, draw_quartiles, GREEN, GREY, VERMILION, write_png
from obai_ros.control.episodes import Episodes
from obai_ros.control.measures import ARRIVED, distances, quantile

COLOURS = {'feef': BLUE, 'eq14': VERMILION, 'oracle': GREEN, 'none': GREY}
NAMES = {'feef': 'FEEF', 'eq14': 'eq. 14', 'oracle': 'true states', 'none': 'no action'}


def draw(path: str | Path, task: str, results: dict[str, Episodes]) -> None:
    """Draw the distances of the targeted objects under each planner, as a PNG file."""
    figure, ((axes,),) = chart(6.4, 4.0)
    for planner, episodes in results.items():
        values = distances(episodes).transpose(1, 2)[episodes.targeted].T
        draw_quartiles(axes, values.numpy(), COLOURS[planner],
                       f'{NAMES[planner]}: {quantile(values[-1], 0.5):.1f} px')
    axes.axhline(ARRIVED, color='#bbbbbb', linewidth=0.8, linestyle=':')
    # Objects that nobody stops leave the picture; they must not flatten what is of interest.
    axes.set_ylim(0, 64)
    axes.set_xlim(0, None)
    axes.set_xlabel('step')
    axes.set_ylabel('distance to the goal (px)')
    count = len(next(iter(results.values())).goal)
    axes.set_title(f'{task}, {count} episodes: median and quartiles', fontsize=10, loc='left')
    axes.legend(frameon=False, fontsize=9)
    write_png(path, figure)
