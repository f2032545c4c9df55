# SPDX-License-Identifier: Apache-2.0
"""What perception says of images that were lost on the way."""
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

pytest.importorskip('rclpy')

from obai_ros.nodes import perception_health  # noqa: E402
from obai_ros.transport import PROFILES  # noqa: E402


@pytest.fixture
def node(monkeypatch):
    monkeypatch.delenv(PROFILES, raising=False)
    monkeypatch.setattr(perception_health, 'get_rmw_implementation_identifier',
                        lambda: 'rmw_fastrtps_cpp')
    return MagicMock()


@pytest.fixture
def health(node):
    """Return the health of a perception node that watches its images."""
    made = perception_health.PerceptionHealth(node)
    made.watch('/camera/image_raw')
    return made


def said(node):
    return [call.args[0] for call in node.get_logger().warning.call_args_list]


def lose(health, count):
    health.lost(SimpleNamespace(total_count_change=count))


def test_who_loses_large_images_is_told_of_the_profile(node, health, monkeypatch):
    health.seen(640 * 480 * 3)
    lose(health, 4)
    assert said(node) == []
    lose(health, 2)
    monkeypatch.setenv(PROFILES, 'mine.xml')
    lose(health, 1)
    first, second = said(node)
    assert first.startswith('6 images on /camera/image_raw were lost on the way so far: Fast DDS')
    assert '(these have 0.9 MB)' in first and f'{PROFILES}=/' in first
    assert first.endswith('config/fastdds.xml')
    assert second.startswith('7 images') and second.endswith(', as this process has been')


def test_images_may_be_lost_before_one_came(node, health):
    lose(health, 9)
    assert PROFILES in said(node)[0] and 'MB' not in said(node)[0]


def test_nothing_is_said_of_small_images_or_of_other_middleware(node, health, monkeypatch):
    health.seen(64 * 64 * 3)
    lose(health, 9)
    health.seen(640 * 480 * 3)
    monkeypatch.setattr(perception_health, 'get_rmw_implementation_identifier',
                        lambda: 'rmw_cyclonedds_cpp')
    lose(health, 1)
    assert said(node) == []
