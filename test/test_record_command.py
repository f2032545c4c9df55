# SPDX-License-Identifier: Apache-2.0
"""What `obai record` says at its end; the recording itself is tested in test/ros."""
import pytest

from obai_ros.commands.record import silence


@pytest.mark.parametrize('topics, said', [
    ([], ''),
    (['/goal'], '; no goal was set while it was recorded (/goal), which is nothing unusual'),
    (['/slots', '/a/goal', '/label_image'],
     '; nothing came on /slots, /label_image; no goal was set while it was recorded (/a/goal), '
     'which is nothing unusual'),
    (['/goal_state'], '; nothing came on /goal_state')])
def test_that_no_goal_was_set_is_nothing_unusual(topics, said):
    assert silence(topics) == said
