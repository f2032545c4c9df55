# SPDX-License-Identifier: Apache-2.0
"""overlay_node: what is wrong costs the picture that it is about, and no more."""

from harness import inside
import numpy as np
from obai_ros.messages import image
from obai_ros.messages.overlay import slot_colours
from obai_ros.msg import Goal, LabelInfo, PlannerStatus
from obai_ros.nodes import image_input, qos
from obai_ros.nodes.overlay_node import OverlayNode
import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header

SIDE = 32


@pytest.fixture
def overlay(client, domain):
    """Return (node, show(labels, encoding, info) -> whether that made a picture)."""
    drawn = client.collect(Image, 'overlay_node/overlay', qos.IMAGE_OUT)
    with inside(OverlayNode, domain) as node:
        client.until(node._overlay.get_subscription_count, 'the overlay')
        node._expected = {'image', 'labels'}
        count = 0

        def show(labels, encoding, info=None):
            nonlocal count
            before, count = len(drawn), count + 1
            header = Header()
            header.stamp.sec = count
            if info is not None:
                node._grid.take(info)
            node._part('image', image_input.to_rgb8)(image.from_numpy(
                np.full((SIDE, SIDE, 3), 90, np.uint8), 'rgb8', Image(header=header)))
            node._part('labels', image.to_labels)(
                image.from_numpy(labels, encoding, Image(header=header)))
            if node._join._newest != count * 10**9:
                return False
            client.until(lambda: len(drawn) > before, 'the picture')
            return True
        yield node, show


GOOD = np.ones((SIDE, SIDE), np.uint8)


@pytest.mark.parametrize('labels, encoding', [
    (np.ones((SIDE, SIDE, 3), np.uint8), 'rgb8'), (GOOD, 'mono8'),
    (GOOD[:, :20], '8UC1')], ids=['colours', 'grey', 'not square'])
def test_wrong_labels_are_refused(overlay, labels, encoding):
    node, show = overlay
    assert not show(labels, encoding)
    assert node._complaints.count('labels') == 1
    assert show(GOOD, '8UC1')


@pytest.mark.parametrize('scale', [0., float('nan')])
def test_a_wrong_label_info_is_refused_and_the_one_before_stays(overlay, scale):
    node, show = overlay
    size = {'image_width': SIDE, 'image_height': SIDE}
    good = LabelInfo(**size, scale_x=1., scale_y=1.)
    assert show(GOOD, '8UC1', good)
    assert show(GOOD, '8UC1', LabelInfo(**size, scale_x=scale, scale_y=1.))
    assert node._complaints.count('info') == 1
    assert node._grid.info is good


def test_all_goals_are_drawn_each_in_the_colour_of_its_slot(overlay):
    node, show = overlay
    drawn = []
    node._draw = lambda *parts: drawn.append(parts[-1]) or np.zeros((SIDE, SIDE, 3), np.uint8)
    node._take_goal(Goal(kind=Goal.OBJECT, x=5., y=6.))
    node._take_plan(PlannerStatus(goal_x=[20., 5., np.nan], goal_y=[8., 6., np.nan]))
    assert show(GOOD, '8UC1')
    orange, blue = slot_colours(2).tolist()
    assert drawn == [[(20., 8., tuple(orange)), (5., 6., tuple(blue))]]


def test_a_grid_beside_the_picture_shows_nothing_of_it(overlay):
    node, show = overlay
    beside = LabelInfo(image_width=SIDE, image_height=SIDE, offset_x=float(SIDE), scale_x=1.,
                       scale_y=1.)
    assert show(GOOD, '8UC1', beside)
    assert not node._complaints.count()
