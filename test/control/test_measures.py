# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from obai_ros.control.episodes import Episodes
from obai_ros.control.measures import (
    distances, overshoot, quantile, settle_steps, succeeded, summarise)


def one_object(x, targeted=True):
    """Return an episode of an object that moves along x toward 0."""
    position = torch.stack([torch.tensor(x), torch.zeros(len(x))], -1)[None, :, None]
    velocity = torch.diff(position, dim=1, prepend=position[:, :1])
    steps = len(x) - 1
    return Episodes(position, velocity, torch.ones(1, steps, dtype=torch.int64),
                    torch.zeros(1, steps, dtype=torch.int64), torch.full((1, steps), 2.0),
                    torch.zeros(1, 1, 2), torch.tensor([[targeted]]))


def test_success_is_to_be_there_and_at_rest():
    assert succeeded(one_object([20.0, 8.0, 3.5, 3.0]), 4.0).item()
    assert not succeeded(one_object([20.0, 8.0, 3.5, 3.0]), 2.0).item()
    assert not succeeded(one_object([20.0, 8.0, 5.0, 3.5]), 4.0).item()     # still moving
    assert not succeeded(one_object([20.0, 8.0, 5.0, 5.0]), 4.0).item()
    assert succeeded(one_object([20.0, 8.0, 5.0, 5.0], targeted=False), 4.0).item()


def test_settling_counts_from_when_it_stays():
    assert settle_steps(one_object([20.0, 3.0, 8.0, 3.0, 1.0])).item() == 3
    assert settle_steps(one_object([3.0, 3.0])).item() == 0
    assert settle_steps(one_object([20.0, 3.0, 8.0])).isnan().item()


def test_overshoot_is_relative_to_the_way():
    assert overshoot(one_object([20.0, 4.0, -5.0, 0.0])).item() == pytest.approx(0.25)
    assert overshoot(one_object([20.0, 4.0, 1.0])).item() == 0
    assert len(overshoot(one_object([3.0, -3.0]))) == 0                     # no way to speak of


def test_figures_of_a_series():
    series = Episodes.join([one_object([20.0, 3.0, 0.5, 0.0]), one_object([20.0] * 4)])
    figures = summarise(series)
    assert figures['episodes'] == 2 and figures['steps'] == 3
    assert figures['success_rate_4px'] == figures['object_success_rate_4px'] == 0.5
    assert figures['settle_steps'] == {'median': 1.0, 'settled_share': 0.5}
    assert figures['energy'] == 6.0 and figures['wrong_push_rate'] == 0


@pytest.mark.parametrize('count', [1, 2, 5, 8])
def test_a_median_is_what_the_chart_draws(count):
    """Of an even number the mean of the two in the middle; torch.median takes the lower one."""
    series = Episodes.join([one_object([30.0, 3.0 * number ** 2]) for number in range(count)])
    final = distances(series)[:, -1, 0]
    drawn = {'median': np.percentile(final, 50), 'p90': np.percentile(final, 90)}
    assert summarise(series)['final_distance_px'] == pytest.approx(drawn)
    assert quantile(final[:0], 0.5) is None
