# SPDX-License-Identifier: Apache-2.0
import cv2

from obai_ros.benchmark.case import Case
from obai_ros.benchmark.ceiling import measure_ceiling
from obai_ros.benchmark.sweep import draw, sweep


def test_cost_grows_with_what_there_is_to_do():
    seen = []
    case = Case('smoke', precision='float32', iterations=1)
    found = sweep(case, {'iterations': (1, 12), 'batch': (1, 2)}, 10, seen.append)
    assert seen == ['iterations', 'batch'] == list(found)
    assert found['iterations'][12] > 2 * found['iterations'][1]
    assert set(found['batch']) == {1, 2} and min(found['batch'].values()) > 0


def test_a_figure_has_a_panel_for_each_setting(tmp_path):
    costs = {1: 10.0, 2: 18.0, 4: 33.0}
    found = {'slots': {4: 33.0}, 'window': costs, 'iterations': costs,
             'image_size': {32: 5.0, 64: 18.0}, 'batch': costs}
    draw(tmp_path / 'cost.png', Case('smoke', precision='float32'), found)
    picture = cv2.imread(str(tmp_path / 'cost.png'))
    assert picture.shape == (840, 1080, 3)
    quarters = [half for rows in (picture[60:440], picture[440:])
                for half in (rows[:, :540], rows[:, 540:])]
    assert all((quarter < 200).any() for quarter in quarters)


def test_a_ceiling_is_that_of_the_faster_operation():
    found = measure_ceiling(Case('smoke', precision='float32', batch=2), seconds=0.05)
    assert found['convolution'] == '3x3, 8 channels, 16 slot-frames of 4x4'
    assert found['gflops'] == max(found['convolution_gflops'], found['matmul_gflops']) > 0.1
    assert found['copy_mb'] == 16 * 16 * 32 * 32 * 4 / 1e6 and found['copy_gb_s'] > 0.1
