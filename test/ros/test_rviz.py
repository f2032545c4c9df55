# SPDX-License-Identifier: Apache-2.0
"""config/obai.rviz shows topics that exist, with plugins that exist and QoS that connects."""

from harness import CHECKOUT
import pytest
from rclpy.qos import (DurabilityPolicy, HistoryPolicy, qos_check_compatible, QoSCompatibility,
                       QoSProfile, ReliabilityPolicy)
import yaml

# Names as in the plugin descriptions of RViz 2 -> message type of the topic
DISPLAYS = {'rviz_default_plugins/Image': 'sensor_msgs/msg/Image',
            'rviz_default_plugins/MarkerArray': 'visualization_msgs/msg/MarkerArray',
            'rviz_default_plugins/Grid': None}
OTHERS = {'rviz_common/Displays', 'rviz_common/Views', 'rviz_default_plugins/MoveCamera',
          'rviz_default_plugins/Select', 'rviz_default_plugins/TF', 'rviz_default_plugins/Orbit'}


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
    start_node('sim_node', image_size=32, rate=0., wait_for_agent=False)
    start_node('perception_node', checkpoint=weights)
    start_node('overlay_node')
    shown = [display for display in config['Visualization Manager']['Displays']
             if 'Topic' in display]
    assert {display['Topic']['Value'] for display in shown} == {
        '/image_raw', '/overlay_node/overlay', '/reconstruction', '/prediction',
        '/overlay_node/markers'}
    for display in shown:
        name = display['Topic']['Value']
        client.until(lambda: client.node.get_publishers_info_by_topic(name), name)
        for endpoint in client.node.get_publishers_info_by_topic(name):
            assert endpoint.topic_type == DISPLAYS[display['Class']]
            compatible, reason = qos_check_compatible(
                endpoint.qos_profile, profile(display['Topic']))
            assert compatible != QoSCompatibility.ERROR, reason


def test_all_plugins_are_known(config):
    def classes(part):
        if isinstance(part, dict):
            yield part.get('Class')
            for value in part.values():
                yield from classes(value)
        elif isinstance(part, list):
            for value in part:
                yield from classes(value)
    assert set(classes(config)) - {None, ''} <= set(DISPLAYS) | OTHERS


def test_the_fixed_frame_is_that_of_the_simulator(config):
    from obai_ros.nodes.parameters import SIM
    frame = {spec.name: spec.default for spec in SIM}['frame_id']
    assert config['Visualization Manager']['Global Options']['Fixed Frame'] == frame
