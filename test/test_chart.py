# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import numpy as np

from obai_ros.chart import BLUE, chart, draw_quartiles, png, write_png


def test_quartiles_are_drawn_step_by_step(tmp_path):
    figure, ((axes,),) = chart(4.0, 3.0)
    draw_quartiles(axes, np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 0.0, 7.0, 8.0, 8.0]]), BLUE)
    line, = axes.get_lines()
    assert line.get_xydata().tolist() == [[0.0, 3.0], [1.0, 7.0]]
    shade, = axes.collections
    assert shade.get_datalim(axes.transData).intervaly.tolist() == [0.0, 8.0]
    write_png(tmp_path / 'chart.png', figure)
    assert (tmp_path / 'chart.png').read_bytes() == png(figure)


def test_no_display_is_asked_for():
    """Of pyplot, which may do so as soon as it is imported, nothing is needed."""
    asked = ('import sys\nfrom obai_ros.chart import chart, png\nassert len(png(chart(2, 1)[0]))\n'
             'sys.exit("matplotlib.pyplot" in sys.modules)')
    subprocess.run([sys.executable, '-c', asked], check=True)
