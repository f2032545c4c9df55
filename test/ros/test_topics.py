# SPDX-License-Identifier: Apache-2.0
"""The tables of topics and services in docs/interfaces.md, compared with running nodes."""

import re

import cv2
from harness import CHECKOUT, PATIENCE
import numpy as np
from obai_ros.nodes import qos
import pytest
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

NODES = ('sim_node', 'camera_node', 'perception_node', 'planner_node', 'overlay_node')
QUALITIES = {'image': qos.IMAGE_OUT, 'data': qos.DATA, 'latched': qos.LATCHED}
OF_EVERY_NODE = {'/parameter_events', '/rosout'}
OF_EVERY_LIFECYCLE = ('transition_event', 'change_state', 'get_state', 'get_available_states',
                      'get_available_transitions', 'get_transition_graph')


def rows(heading):
    section = re.split(rf'^## {heading}$', (CHECKOUT / 'docs' / 'interfaces.md').read_text(),
                       flags=re.M)[1].split('\n## ')[0]
    cells = [[cell.strip().strip('`') for cell in line.strip('|').split('|')]
             for line in section.splitlines() if line.startswith('|')]
    return cells[2:]


def full(name):
    return name if name.startswith('/') else f'/{name}'


def kind(cell, folder):
    """Return package/folder/Name of `package/Name, more words`."""
    package, name = cell.split(',')[0].strip('` ').split('/')
    return f'{package}/{folder}/{name}'


def theirs(listed):
    """Return {name: type} of what is a node's own, not everybody's."""
    return {name: kinds[0] for name, kinds in listed if name not in OF_EVERY_NODE
            and name.rpartition('/')[2] not in OF_EVERY_LIFECYCLE
            and not name.endswith(('_parameters', '_parameters_atomically', '_parameter_types',
                                   '_type_description'))}


@pytest.fixture
def nodes(client, start_node, weights, tmp_path):
    """Start all nodes; return when all of them are at work."""
    cv2.imwrite(str(tmp_path / '1.png'), np.zeros((32, 32, 3), np.uint8))
    start_node('sim_node', image_size=32, wait_for_agent=False, publish_clock=True)
    start_node('camera_node', {'image_raw': 'camera/image_raw'}, source=str(tmp_path))
    start_node('perception_node', checkpoint=weights)
    start_node('planner_node', checkpoint=weights)
    start_node('overlay_node')
    # The overlay reads nothing until somebody looks at it.
    overlays = client.collect(Image, 'overlay_node/overlay', qos.RECORD)
    markers = client.collect(MarkerArray, 'overlay_node/markers', qos.RECORD)
    client.until(lambda: overlays and markers, 'an overlay and markers')


def seen(client):
    """Return {node: (published, subscribed, services)} as far as they have been discovered."""
    known = [node for node in NODES if node in client.node.get_node_names()]
    return {node: tuple(theirs(ask(node, '/')) for ask in (
        client.node.get_publisher_names_and_types_by_node,
        client.node.get_subscriber_names_and_types_by_node,
        client.node.get_service_names_and_types_by_node)) for node in known}


def test_the_tables_are_those_of_the_nodes(client, nodes):
    told = {node: ({}, {}, {}) for node in NODES}
    for name, what, quality, publishers, subscribers in rows('Topics'):
        for place, names in enumerate((publishers, subscribers)):
            for node in filter(None, (word.strip() for word in names.split(','))):
                # The camera was put aside, so that it does not speak for the simulator.
                aside = {'image_raw', 'camera_info'} if node == 'camera_node' else ()
                moved = f'camera/{name}' if name in aside else name
                told[node][place][full(moved)] = kind(what, 'msg')
    for name, what, *_ in rows('Services'):
        told[name.split('/')[0]][2][full(name)] = kind(what, 'srv')
    # Messages may come before one has heard whose they are.
    client.wait(lambda: seen(client) == told, PATIENCE)
    assert seen(client) == told
    for name, _, quality, *_ in rows('Topics'):
        for endpoint in client.node.get_publishers_info_by_topic(full(name)):
            profile = QUALITIES[quality]
            assert endpoint.qos_profile.reliability == profile.reliability, name
            assert endpoint.qos_profile.durability == profile.durability, name


def test_the_words_for_qualities_mean_what_the_page_says():
    assert {name: (profile.reliability, profile.durability, profile.depth)
            for name, profile in QUALITIES.items()} == {
        'image': (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 5),
        'data': (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 10),
        'latched': (ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, 1)}
