# SPDX-License-Identifier: Apache-2.0
"""Somebody who reads a log of something long can tell that it goes on, and how long."""
import sys

import pytest

from obai_ros.progress import Lines, Progress


def test_a_line_now_and_then_says_how_far_it_is(capsys):
    now = [100.0]
    lines = Lines('obai evaluate', 1000, 'sequences', begun=200, clock=lambda: now[0])
    for done, later in ((220, 10.0), (260, 30.0), (262, 31.0), (320, 61.0)):
        now[0] = 100.0 + later
        lines(done, ', 3 scenes' if done == 320 else '')
    shown = capsys.readouterr()
    assert not shown.out
    assert shown.err.splitlines() == [
        'obai evaluate: 260 of 1000 sequences, 2 sequences/s, 0:06:10 left',
        'obai evaluate: 320 of 1000 sequences, 3 scenes, 1.97 sequences/s, 0:05:46 left']


def test_what_has_not_come_far_does_not_say_how_long_it_takes(capsys):
    Lines('it', 5, 'steps', clock=iter((0.0, 99.0)).__next__)(0)
    assert capsys.readouterr().err == 'it: 0 of 5 steps, 0 steps/s, ? left\n'


@pytest.mark.parametrize('terminal', [True, False])
def test_a_terminal_has_a_bar_instead(terminal, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: terminal)
    monkeypatch.setattr('obai_ros.progress.EVERY', 0.0)
    with Progress('it', 5, 'steps') as advance:
        advance(2, ', two scenes')
    assert ('it: 2 of 5 steps, two scenes' in capsys.readouterr().err) != terminal
