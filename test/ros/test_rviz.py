# SPDX-License-Identifier: Apache-2.0
"""config/obai.rviz shows topics that exist, with plugins that exist and QoS that connects."""

from pathlib import Path
from xml.etree import ElementTree

from ament_index_python.packages import get_package_share_directory, PackageNotFoundError
from harness import CHECKOUT
import pytest
from rclpy.qos import (DurabilityPolicy, HistoryPolicy, qos_check_compatible, QoSCompatibility,
                       QoSProfile, ReliabilityPolicy)
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray
import yaml

# Names that rviz_default_plugins/plugins_description.xml exports -> message type of the topic
DISPLAYS = {'rviz_default_plugins/Image': 'sensor_msgs/msg/Image',
            'rviz_default_plugins/MarkerArray': 'visualization_msgs/msg/MarkerArray',
            'rviz_default_plugins/Grid': None}
OTHERS = {'rviz_default_plugins/MoveCamera', 'rviz_default_plugins/Select',
          'rviz_default_plugins/TF', 'rviz_default_plugins/Orbit'}
# Panels that rviz_common brings itself
PANELS = {'rviz_common/Displays', 'rviz_common/Views'}


@pytest.fixture(scope='module')
def config():
    return yaml.safe_load((CHECKOUT / 'config' / 'obai.rviz').read_text())


def profile(topic):
    return QoSProfile(
        depth=topic['Depth'],
        history=HistoryPolicy[topic['History Policy'].upper().replace(' ', '_')],
        reliability=ReliabilityPolicy[topic['Reliability Policy'].upper().replace(' ', '_')],
        durability=DurabilityPolicy[topic['Durability Policy'].upper().replace(' ', '_')])


def test_topics_and_their_qos_are_those_of_the_running_nodes(client, start_node, weights, config):
    start_node('closed_loop', **{
        'sim_node:image_size': 32, 'sim_node:rate': 0., 'perception_node:checkpoint': weights,
        'planner_node:checkpoint': weights, 'planner_node:goal': 'all'})
    shown = [display for display in config['Visualization Manager']['Displays']
             if 'Topic' in display]
    assert {display['Topic']['Value'] for display in shown} == {
        '/image_raw', '/overlay_node/overlay', '/reconstruction', '/prediction',
        '/overlay_node/markers'}
    received = {}
    for display in shown:
        name = display['Topic']['Value']
        client.until(lambda: client.node.get_publishers_info_by_topic(name), name)
        for endpoint in client.node.get_publishers_info_by_topic(name):
            assert endpoint.topic_type == DISPLAYS[display['Class']]
            compatible, reason = qos_check_compatible(
                endpoint.qos_profile, profile(display['Topic']))
            assert compatible != QoSCompatibility.ERROR, reason
        # As RViz would subscribe it: that messages come, and in a frame that it can show.
        kind = Image if display['Class'].endswith('/Image') else MarkerArray
        received[name] = client.collect(kind, name, profile(display['Topic']))
    client.until(lambda: all(received.values()), 'something on each topic')
    fixed = config['Visualization Manager']['Global Options']['Fixed Frame']
    markers = received['/overlay_node/markers']
    client.until(lambda: any(
        marker.ns == 'goals' for message in markers for marker in message.markers), 'goals')
    assert {marker.header.frame_id for marker in markers[-1].markers} == {fixed}
    namespaces = next(display['Namespaces'] for display in shown if 'Namespaces' in display)
    assert {marker.ns for message in markers for marker in message.markers} <= {'', *namespaces}


def test_all_plugins_are_known(config):
    names = set(classes(config))
    assert names == DISPLAYS.keys() | OTHERS | PANELS
    displays = config['Visualization Manager']['Displays']
    assert {display['Class'] for display in displays} == DISPLAYS.keys()


def test_rviz_itself_knows_the_plugins(config):
    """Where RViz is installed, its own list has the last word."""
    try:
        share = get_package_share_directory('rviz_default_plugins')
    except PackageNotFoundError:
        pytest.skip('RViz is not installed')
    exported = {plugin.get('name') for plugin in ElementTree.parse(
        Path(share) / 'plugins_description.xml').iter('class')}
    assert set(classes(config)) - PANELS <= exported


def classes(part):
    """Yield the class of each part of the configuration, however deep."""
    if isinstance(part, dict):
        if part.get('Class'):
            yield part['Class']
        part = list(part.values())
    if isinstance(part, list):
        for value in part:
            yield from classes(value)


def test_the_fixed_frame_is_that_of_the_simulator(config):
    from obai_ros.nodes.tables import SIM
    frame = {spec.name: spec.default for spec in SIM}['frame_id']
    assert config['Visualization Manager']['Global Options']['Fixed Frame'] == frame
