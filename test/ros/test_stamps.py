# SPDX-License-Identifier: Apache-2.0
"""Nodes refuse stamps that are no time, and carry on."""

import array

from builtin_interfaces.msg import Time
from harness import inside
from obai_ros.msg import ActionField
from obai_ros.nodes.overlay_node import OverlayNode
from obai_ros.nodes.perception_node import PerceptionNode
from obai_ros.nodes.sim_node import SimNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header

SIDE = 32
BEFORE_ALL_TIME = Header(stamp=Time(sec=-1, nanosec=5))
WORDS = 'its stamp has sec -1, expected 0 or more'


def action(header):
    return ActionField(header=header, height=SIDE, width=SIDE)


def picture(header):
    return Image(header=header, height=SIDE, width=SIDE, encoding='rgb8', step=3 * SIDE,
                 data=array.array('B', bytes(3 * SIDE * SIDE)))


def test_perception_refuses_images_and_actions_of_no_time(domain, weights, capfd):
    with inside(PerceptionNode, domain, checkpoint=weights, autostart=False) as node:
        node.trigger_configure()
        node.trigger_activate()
        node._receive_image(picture(BEFORE_ALL_TIME))
        node._receive_action(action(BEFORE_ALL_TIME))
        assert (node.complaints.count('image'), node.complaints.count('action')) == (1, 1)
        assert node._frames.take() is None
        node._receive_image(picture(Header()))
        assert node._frames.take() is not None
    assert capfd.readouterr().err.count(WORDS) == 2


def test_the_simulator_refuses_actions_of_no_time(domain, capfd):
    with inside(SimNode, domain, image_size=SIDE) as node:
        node._on_action(action(BEFORE_ALL_TIME))
        assert node.complaints.count() == 1
    assert f'refused: {WORDS}' in capfd.readouterr().err


def test_the_overlay_refuses_parts_of_no_time(domain, capfd):
    with inside(OverlayNode, domain) as node:
        node._part('actions', lambda message: ())(action(BEFORE_ALL_TIME))
    assert f'actions refused: {WORDS}' in capfd.readouterr().err
