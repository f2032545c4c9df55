# SPDX-License-Identifier: Apache-2.0
"""Records: distances and goals."""
import numpy as np
from obai_ros.demo.records import distances, sample_goals


def test_distances_are_euclidean_px():
    position = np.array([[[3.0, 4.0], [0.0, 0.0]], [[10.0, 10.0], [10.0, 13.0]]])
    assert np.allclose(distances(position, (0.0, 0.0))[0], [5.0, 0.0])
    assert np.allclose(distances(position, (10.0, 10.0))[1], [0.0, 3.0])


def test_an_episode_counts_its_steps_and_objects(episodes):
    assert episodes[0].steps == 15
    assert episodes[0].distances().shape == (16, 3)


def test_pictures_can_be_dropped_without_changing_what_was_measured(episodes):
    lean = episodes[0].without_pictures()
    assert all(frame.image is frame.labels is frame.reconstruction is None
               for frame in lean.frames)
    assert np.array_equal(lean.distances(), episodes[0].distances())
    assert [frame.time for frame in lean.frames] == [frame.time for frame in episodes[0].frames]


def test_goals_are_in_the_middle_and_follow_the_seed():
    goals = np.array(sample_goals(500, height=50, width=100, seed=3))
    assert goals.shape == (500, 2)
    assert 20 <= goals[:, 0].min() < 25 and 75 < goals[:, 0].max() <= 80
    assert 10 <= goals[:, 1].min() < 13 and 37 < goals[:, 1].max() <= 40
    assert sample_goals(500, 50, 100, 3) == [tuple(goal) for goal in goals]
    assert sample_goals(5, 50, 100, 4) != sample_goals(5, 50, 100, 3)
    # More episodes do not change the earlier ones.
    assert sample_goals(2, 50, 100, 3) == sample_goals(500, 50, 100, 3)[:2]
