# SPDX-License-Identifier: Apache-2.0
"""What is said of trouble that nobody could catch, in a process of nodes."""
import sys

from rclpy.task import Task

from obai_ros.nodes import run


class Careless:
    def __del__(self):
        raise AttributeError('who am I?')


def test_only_tasks_that_a_signal_left_half_made_end_without_a_word(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'unraisablehook', run._tell_unless_half_made)
    half = Task.__new__(Task)
    del half
    assert capsys.readouterr().err == ''
    careless = Careless()
    del careless
    assert 'who am I?' in capsys.readouterr().err
