# SPDX-License-Identifier: Apache-2.0
"""perception_node with each engine: ready at once, fast later, and nobody left behind."""

import array
from pathlib import Path

import numpy as np
from obai_ros.msg import SlotBeliefs
from obai_ros.nodes import qos
import pytest
from sensor_msgs.msg import Image

SIDE = 32  # of the smoke model


def image(second):
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    message = Image(height=SIDE, width=SIDE, encoding='rgb8', step=3 * SIDE,
                    data=array.array('B', pixels.tobytes()))
    message.header.stamp.sec = second
    return message


def watch(client, beliefs, images):
    """Send images until there are beliefs about two of them."""
    for second in range(1, 60):
        images.publish(image(second))
        if client.wait(lambda: len(beliefs) >= 2, timeout=1.0):
            return
    pytest.fail('no beliefs came')


def family(node):
    """Return the processes of the session that a node has begun, itself included."""
    found = set()
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = stat.read_text().rpartition(')')[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        if int(fields[3]) == node.process.pid and fields[0] != 'Z':
            found.add(int(stat.parent.name))
    return found


@pytest.mark.parametrize('engine', ['reference', 'direct'])
def test_an_engine_is_chosen_by_name(client, start_node, weights, engine):
    node = start_node('perception_node', checkpoint=weights, engine=engine)
    beliefs = client.collect(SlotBeliefs, 'slots')
    images = client.heard_publisher(Image, 'image_raw', qos.IMAGE_OUT)
    client.until(lambda: node.says(f'{engine} engine'), f'the {engine} engine')
    watch(client, beliefs, images)
    assert np.isfinite(beliefs[-1].mean).all()


def test_frames_are_answered_while_code_is_compiled(client, start_node, weights, tmp_path,
                                                    monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    node = start_node('perception_node', checkpoint=weights, engine='compiled')
    beliefs = client.collect(SlotBeliefs, 'slots')
    images = client.heard_publisher(Image, 'image_raw', qos.IMAGE_OUT)
    client.until(lambda: node.says('compiling for this processor'), 'compiling')
    assert len(family(node)) > 1
    watch(client, beliefs, images)
    status, seconds = node.stop()
    assert status == 0
    client.until(lambda: not family(node), 'the end of its children')


def test_without_a_compiler_one_warning_says_so(client, start_node, weights, tmp_path,
                                                monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setenv('CXX', 'no-such-compiler')
    node = start_node('perception_node', checkpoint=weights, engine='compiled')
    beliefs = client.collect(SlotBeliefs, 'slots')
    images = client.heard_publisher(Image, 'image_raw', qos.IMAGE_OUT)
    watch(client, beliefs, images)
    assert node.output().count('there is no C++ compiler (no-such-compiler)') == 1
