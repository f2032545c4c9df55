# SPDX-License-Identifier: Apache-2.0
import threading
import time

import pytest

pytest.importorskip('rclpy')

from obai_ros.nodes.side_work import SideWork  # noqa: E402


class Node:
    """A node whose guard conditions go away with it, as those of rclpy do."""

    def __init__(self):
        self.rung, self.gone = 0, False

    def create_guard_condition(self, callback):
        return self

    def trigger(self):
        if self.gone:
            raise RuntimeError('destruction was requested')
        self.rung += 1


def begin(side, function):
    """Begin what side.do does, as an executor would; return the coroutine, to be gone on with."""
    running = side.do(function)
    running.send(None)
    return running


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_was_done_is_the_answer_and_wakes_the_executor():
    node, go_on = Node(), threading.Event()
    side = SideWork(node)
    running = begin(side, go_on.wait)
    go_on.set()
    wait_for(lambda: node.rung)
    with pytest.raises(StopIteration) as done:
        running.send(None)
    assert done.value.value is True
    side.close()


def test_work_that_ends_after_its_node_says_nothing(caplog):
    node, go_on = Node(), threading.Event()
    side = SideWork(node)
    running = begin(side, go_on.wait)
    side.close()
    node.gone = True
    go_on.set()
    side._pool.shutdown(wait=True)
    running.close()
    assert not caplog.records and not node.rung
