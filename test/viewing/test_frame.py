# SPDX-License-Identifier: Apache-2.0
"""What the page is told of a frame."""

import base64
import json
from types import SimpleNamespace

import cv2
import numpy as np
from obai_ros.camera.fit import Fit
from obai_ros.viewing.frame import describe, Plan, SMALL, to_url, WIDEST
import pytest

NAN = float('nan')


def beliefs():
    """Return three slots on a grid of 6x4 px: the background, an object, and an empty one."""
    labels = np.zeros((4, 6), np.uint8)
    labels[1:3, 2:5] = 2
    return SimpleNamespace(
        frame=7, width=6, height=4, labels=labels, background=0,
        empty=np.array([False, False, True]), mass=np.array([18., 6., 0.], np.float32),
        centroid=np.array([[3., 2.], [3.5, 2.], [NAN, NAN]], np.float32),
        contact_row=np.array([0, 1, 3]), contact_col=np.array([0, 3, 5]),
        slot_free_energy=np.array([-3., .1, 0.], np.float32),
        entropy=np.array([-1., -2.5, 4.], np.float32), free_energy=-2.9, iterations=4)


PLAN = Plan(np.array([[0., 0.], [1.5, -.5], [0., 0.]]),
            np.array([[NAN, NAN], [5., 1.], [NAN, NAN]]), np.array([NAN, 12.5, NAN]))


def read(address, flags=cv2.IMREAD_COLOR):
    kind, _, coded = address.partition(';base64,')
    return kind, cv2.imdecode(np.frombuffer(base64.b64decode(coded), np.uint8), flags)[..., ::-1]


def test_a_frame_says_what_is_seen_and_what_is_planned():
    picture = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    other = 255 - picture
    place = Fit(12, 8, 6, 0., 0., 2., 2.)
    frame = json.loads(json.dumps(describe(picture, beliefs(), place, PLAN, {'prediction': other}),
                                  allow_nan=False))
    kind, shown = read(frame['image'].pop('picture'))
    assert kind == 'data:image/png' and (shown == picture).all()
    assert frame['image'] == {'width': 12, 'height': 8}
    assert (read(frame['pictures']['prediction'])[1] == other).all()
    assert frame['place'] == {'offset_x': 0., 'offset_y': 0., 'scale_x': 2., 'scale_y': 2.}
    labels = np.frombuffer(base64.b64decode(frame['grid']['labels']), np.uint8)
    assert (labels.reshape(frame['grid']['height'], frame['grid']['width'])
            == beliefs().labels).all()
    assert (frame['frame'], frame['free_energy'], frame['iterations']) == (7, -2.9, 4)
    background, thing, empty = frame['slots']
    assert [slot['kind'] for slot in frame['slots']] == ['background', 'object', 'empty']
    assert thing == {
        'colour': 'rgb(86, 180, 233)', 'kind': 'object', 'x': 3.5, 'y': 2., 'contact': [3, 1],
        'mass': 6., 'free_energy': .1, 'entropy': -2.5, 'push': [1.5, -.5], 'wanted': [5., 1.],
        'feef': 12.5}
    assert (background['wanted'], background['feef'], background['push']) == (None, None, [0., 0.])
    assert (empty['x'], empty['y']) == (None, None)


def test_without_a_planner_there_is_no_plan():
    frame = describe(np.zeros((4, 6, 3), np.uint8), beliefs(), Fit(6, 4, 6))
    assert not frame['planned'] and 'push' not in frame['slots'][1]


def test_a_plan_about_other_slots_is_refused():
    plan = Plan(PLAN.acceleration[:2], PLAN.wanted[:2], PLAN.feef[:2])
    with pytest.raises(ValueError, match='about 2 slots, the beliefs are about 3'):
        describe(np.zeros((4, 6, 3), np.uint8), beliefs(), Fit(6, 4, 6), plan)


@pytest.mark.parametrize('height, width, kind, shown', [
    (SMALL, SMALL, 'png', (SMALL, SMALL)), (480, 640, 'jpeg', (480, 640)),
    (720, 1280, 'jpeg', (360, WIDEST)), (1, 5000, 'jpeg', (1, WIDEST))])
def test_large_pictures_are_sent_small(height, width, kind, shown):
    picture = np.full((height, width, 3), (200, 100, 50), np.uint8)
    form, sent = read(to_url(picture))
    assert form == f'data:image/{kind}' and sent.shape[:2] == shown
    assert abs(sent.astype(int).mean((0, 1)) - (200, 100, 50)).max() < 3
