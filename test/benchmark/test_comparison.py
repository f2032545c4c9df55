# SPDX-License-Identifier: Apache-2.0
import sys

import pytest

from obai_ros.benchmark.comparison import Comparison, Run, compare, split

NOTHING = [sys.executable, '-c', 'pass']


def python(code):
    return [sys.executable, '-c', code]


def test_what_takes_longer_has_the_larger_ratio():
    """One process waits for a second, which no busy machine hides."""
    found = compare(NOTHING, python('import time; time.sleep(1)'), 2).summary()
    assert found['measured'] == 'run time of the commands' and found['pairs'] == 2
    assert found['b_ms'] > 1000 and found['ratio'] > 1
    assert found['ratio_low'] <= found['ratio'] <= found['ratio_high']
    assert 0 < found['ratio_of_all_cores'] < 10  # who sleeps computes nothing


def test_commands_take_turns(tmp_path):
    log = tmp_path / 'log'
    seen = []
    commands = [python(f'open({str(log)!r}, "a").write({name!r})') for name in 'AB']
    found = compare(*commands, 3, seen.append)
    assert log.read_text() == 'ABABAB' and seen == [0, 1, 2]
    assert len(found.first) == len(found.second) == 3


def test_a_command_that_says_what_it_measured_is_taken_at_its_word():
    found = compare(python('print("ms per frame   9\\nms per frame   4.0  of all cores 2.0")'),
                    python('print("ms per frame 1e1  p99 12  of all cores    8")'), 2)
    assert found.first == 2 * (Run(4.0, 2.0, True),)
    assert found.second == 2 * (Run(10.0, 8.0, True),)
    summary = found.summary()
    assert summary['ratio'] == 2.5 and summary['ratio_of_all_cores'] == 4.0
    assert summary['measured'] == 'said by the commands'


def test_the_ratio_is_of_pairs_so_that_a_slow_moment_counts_once():
    first, second = (tuple(Run(ms, None, True) for ms in runs)
                     for runs in ((10.0, 40.0, 10.0), (20.0, 80.0, 25.0)))
    found = Comparison(first, second).summary()
    assert found['ratio_of_all_cores'] is None
    assert (found['ratio_low'], found['ratio'], found['ratio_high']) == (2.0, 2.0, 2.5)
    assert (found['a_ms'], found['b_ms']) == (10.0, 25.0)


@pytest.mark.parametrize('first, second, sentence', [
    (NOTHING, python('print("so far"); raise SystemExit(3)'),
     r'^B, .* ended with exit code 3\. Its last lines:\n  so far$'),
    (python('raise SystemExit(1)'), NOTHING, r'^A, .* exit code 1\. It has written nothing\.$'),
    (['/no/such/program'], NOTHING, '^A, `/no/such/program`, cannot be started: No such file'),
    (NOTHING, python('print("ms per frame 3")'), '^B says what it measured .* and A does not'),
    (python('print("ms per frame 0")'), NOTHING, '^A, .*says that a frame takes 0 ms'),
])
def test_what_cannot_be_compared_is_a_sentence(first, second, sentence):
    with pytest.raises(RuntimeError, match=sentence):
        compare(first, second, 2)


def test_a_command_is_read_as_by_a_shell():
    assert split("run 'this one' -x") == ['run', 'this one', '-x']
    for wrong in ('', '  ', "it's"):
        with pytest.raises(ValueError):
            split(wrong)
    with pytest.raises(ValueError, match='0 pairs'):
        compare(NOTHING, NOTHING, 0)
