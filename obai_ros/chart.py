# SPDX-License-Identifier: Apache-2.0
"""Charts: figures that all look alike, drawn without a display, and written as PNG."""
from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from obai_ros.whole_file import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID = '#e6e6e6'
BLUE, VERMILION, GREEN, GREY = '#0072b2', '#d55e00', '#009e73', '#8a8a8a'
"""Told apart by the colour-blind, too (Okabe and Ito)."""


def chart(width: float, height: float, rows: int = 1, columns: int = 1, grid: bool = True
          ) -> tuple[Figure, np.ndarray]:
    """
    Return a figure, inches, and the axes of its panels [rows, columns].

    grid: with lines at the ticks of y, behind what is drawn.
    """
    # Here, because it takes half a second. Without pyplot, which asks for a display and keeps
    # figures until they are closed.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout='constrained')
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.spines[['top', 'right']].set_visible(False)
        axes.set_axisbelow(True)
        if grid:
            axes.grid(axis='y', color=GRID, linewidth=0.8)
    return figure, panels


def draw_quartiles(axes: Axes, values: np.ndarray, colour: str, label: str | None = None) -> None:
    """Draw the median of values [S, n] at steps 0 .. S - 1 as a line, and shade the quartiles."""
    low, middle, high = np.percentile(values, (25, 50, 75), axis=1)
    steps = np.arange(len(values))
    axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(steps, middle, color=colour, linewidth=2, label=label)
    axes.xaxis.get_major_locator().set_params(integer=True)


def png(figure: Figure) -> bytes:
    """Return a figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png')
    return buffer.getvalue()


def write_png(path: str | Path, figure: Figure) -> None:
    """Write a figure as a PNG file, which appears whole or not at all."""
    write_bytes(path, png(figure))
