# SPDX-License-Identifier: Apache-2.0
"""Report: the no-action reference is exact, and the figures are those of the records."""
import json

import cv2
import numpy as np
from obai_ros.demo import report
import pytest


def test_coasting_is_linear_motion():
    position = np.array([[10.0, 20.0], [1.0, 2.0]], np.float32)
    velocity = np.array([[1.5, -2.0], [0.0, 0.25]], np.float32)
    path = report.coast(position, velocity, 7)
    assert path.shape == (8, 2, 2)
    for step in range(8):
        assert np.allclose(path[step], position + step * velocity)


def test_coasting_is_what_the_environment_does_without_action(episode):
    idle = episode(4, steps=12, push=False)
    path = report.coast(idle.frames[0].position, idle.frames[0].velocity, 12)
    assert np.array_equal(path, np.stack([frame.position for frame in idle.frames]))
    assert np.allclose(report.coasting_distances([idle]), report.planned_distances([idle]))


def test_the_summary_is_that_of_the_records(episodes):
    summary = report.summarise(episodes)
    final = np.concatenate([episode.distances()[-1] for episode in episodes])
    assert summary['episodes'] == 3 and summary['steps'] == 15 and summary['objects'] == 9
    planner, idle = (summary['final_distance_px'][key] for key in ('planner', 'no_action'))
    assert planner['median'] == pytest.approx(np.median(final))
    assert planner['p25'] <= planner['median'] <= planner['p75'] <= planner['p90']
    assert planner['median'] < 1 < 20 < idle['median']
    assert summary['final_distance_px']['ratio_of_medians'] == pytest.approx(
        planner['median'] / idle['median'])
    assert summary['within_4px_fraction']['planner'] == pytest.approx((final <= 4).mean())
    assert summary['frames_per_s'] == pytest.approx(10.0)
    curves = summary['distance_px_per_step']
    assert len(curves['planner']) == len(curves['no_action']) == 16
    assert curves['planner'][0] == curves['no_action'][0]
    assert curves['planner'][15] == planner
    json.dumps(summary, allow_nan=False)


def test_the_figure_is_a_picture(episodes, tmp_path):
    report.draw_distances(tmp_path / 'deep' / 'curve.png', episodes)
    picture = cv2.imread(str(tmp_path / 'deep' / 'curve.png'))
    assert picture.shape == (600, 960, 3) and picture.std() > 10
