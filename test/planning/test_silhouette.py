# SPDX-License-Identifier: Apache-2.0
"""Objects are found by what shows of them, and by what does not show."""
from dataclasses import replace

import discs
import numpy as np
import pytest
import torch

from obai_ros.environment.rendering import render
from obai_ros.environment.scene import sample_scene, SceneConfig
from obai_ros.model.percept import moments
from obai_ros.model.traits import traits
from obai_ros.planning.occlusion import free_to_see
from obai_ros.planning.silhouette import Evidence, find, remember

SIDE, SIZE, MASS = 64, 16, 120.0


def evidence(*discs_shown, about=1):
    """Evidence about one of (x, y, mass), numbered from 1; later ones hide earlier ones."""
    x, y, mass = np.array(discs_shown).T
    labels = discs.labels(np.stack([x, y], -1), mass, np.ones(len(mass), bool), SIDE)
    return Evidence(labels == about, labels == 0)


@pytest.fixture
def silhouette():
    return remember(None, evidence((20.3, 30.6, MASS)), np.array([20.3, 30.6]), SIZE)


@pytest.mark.parametrize('x, y', [(40.0, 40.0), (40.7, 39.2), (30.25, 12.9)])
def test_an_object_that_shows_whole_is_found_within_a_fraction_of_a_pixel(silhouette, x, y):
    place, variance = find(silhouette, evidence((x, y, MASS)), np.array([x + 2.4, y - 1.7]), 4.0)
    assert np.linalg.norm(place - (x, y)) < 0.35
    assert variance < 0.5


@pytest.mark.parametrize('away', [4.0, 6.0, 8.0])
def test_half_hidden_it_is_found_where_the_middle_of_what_shows_is_not(silhouette, away):
    shown = evidence((40.0, 30.0, MASS), (40.0 + away, 30.0, 150.0))
    left = np.argwhere(shown.around(np.array([40.0, 30.0]), 12)[0] > 0.5)[:, 1].mean() - 12
    place, _ = find(silhouette, shown, np.array([41.5, 28.5]), 4.0)
    assert left < -1.0
    assert np.linalg.norm(place - (40.0, 30.0)) < 0.6


def test_partly_out_of_the_image_it_is_found_too(silhouette):
    place, _ = find(silhouette, evidence((2.0, 30.0, MASS)), np.array([4.0, 31.0]), 4.0)
    assert np.linalg.norm(place - (2.0, 30.0)) < 0.6


def test_where_nothing_tells_what_is_expected_stays(silhouette):
    nothing = Evidence(np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool))
    place, variance = find(silhouette, nothing, np.array([30.2, 30.9]), 1.0)
    np.testing.assert_allclose(place, (30.2, 30.9), atol=0.01)
    assert 0.8 < variance < 1.3


def test_out_of_reach_it_is_not_found(silhouette):
    assert find(silhouette, evidence((40.0, 30.0, MASS)), np.array([28.0, 30.0]), 1e4) is None


def test_parts_that_show_in_turn_make_a_whole(silhouette):
    place, put_together = np.array([40.0, 30.0]), None
    for _ in range(12):
        for x in (46.0, 34.0):
            shown = evidence((*place, MASS), (x, 30.0, MASS))
            put_together = remember(put_together, shown, place, SIZE)
    whole = remember(None, evidence((*place, MASS)), place, SIZE)
    assert np.abs(put_together.likely - whole.likely)[4:-4, 4:-4].mean() < 0.02


def test_whole_are_those_that_touch_neither_border_nor_each_other():
    centre = [(20.0, 20.0), (27.0, 20.0), (3.0, 45.0), (50.0, 50.0), (50.0, 51.0), (40.0, 40.0)]
    objects = np.array([True, True, True, True, False, True])
    labels = discs.labels(centre, np.full(6, 80.0), objects, SIDE)
    assert free_to_see(labels, objects).tolist() == [False, False, False, True, False, True]


def test_what_lies_behind_all_objects_hides_nothing():
    objects = np.array([True, False])
    labels = discs.labels([(20.0, 20.0), (27.0, 20.0)], (80.0, 80.0), [True, True], SIDE)
    assert free_to_see(labels, objects).tolist() == [True, False]


def test_a_silhouette_has_the_form_of_the_object_it_is_of():
    """Looked at from several places, its rim is blurred, but not its moments."""
    scene = sample_scene(SceneConfig(num_objects=1), 40, torch.Generator().manual_seed(2))
    alone = scene.position.sub(32).abs().amax((1, 2)) < 16
    for number in alone.nonzero().flatten().tolist()[:10]:
        one = type(scene)(**{name: value[number:number + 1]
                             for name, value in vars(scene).items()})
        silhouette = None
        for shift in torch.rand(8, 2, generator=torch.Generator().manual_seed(number)):
            moved = replace(one, position=one.position + shift)
            _, labels = render(moved, SceneConfig(num_objects=1))
            shown = (labels == 1)[:, None].float()
            mass, middle = moments(shown)
            true = traits(shown, torch.zeros(1, 3, 64, 64), mass, middle)[0, 0, 3:]
            silhouette = remember(silhouette, Evidence(labels[0].numpy() == 1,
                                                       labels[0].numpy() == 0),
                                  middle[0, 0].numpy().astype(float), SIZE)
        told = torch.from_numpy(silhouette.form).float()
        assert told[0] == pytest.approx(float(true[0]), rel=0.06)
        torch.testing.assert_close(told[1:].exp(), true[1:].exp(), atol=0.015, rtol=0.1)
