# SPDX-License-Identifier: Apache-2.0
"""Supervisor: dead children are named, living ones are ended, however stubborn."""
import os
import signal
import subprocess
import sys
import time

from obai_ros.demo.processes import ChildDied, Supervisor
import pytest

POLITE = 'print("ready", flush=True); import signal; signal.pause()'
STUBBORN = ('import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); '
            'print("ready", flush=True)\nwhile True: signal.pause()')
DEAF = ('import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); '
        'signal.signal(signal.SIGTERM, signal.SIG_IGN); print("ready", flush=True)\n'
        'while True: signal.pause()')


@pytest.fixture
def supervisor(tmp_path):
    with Supervisor(tmp_path / 'logs', patience=(10.0, 10.0, 10.0)) as supervisor:
        yield supervisor


def _start(supervisor, name, code, ready='ready'):
    supervisor.start(name, [sys.executable, '-c', code])
    _until(lambda: ready in supervisor.tail(name), f'{name} is ready')


def _until(condition, what, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f'not within {seconds} s: {what}'
        time.sleep(0.01)


def _alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as stat:
            return stat.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_a_polite_child_ends_at_sigint(supervisor):
    _start(supervisor, 'polite', POLITE)
    supervisor.check()
    codes = supervisor.stop()
    assert codes == {'polite': -signal.SIGINT} or codes == {'polite': 1}
    assert supervisor.stop() == codes
    assert any('KeyboardInterrupt' in line for line in supervisor.tail('polite'))


def test_a_child_takes_sigint_even_where_we_ignore_it(supervisor):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _start(supervisor, 'polite', POLITE)
    finally:
        signal.signal(signal.SIGINT, before)
    supervisor.stop()
    assert any('KeyboardInterrupt' in line for line in supervisor.tail('polite'))


@pytest.mark.parametrize('code, ended_by', [(STUBBORN, signal.SIGTERM), (DEAF, signal.SIGKILL)])
def test_a_child_that_ignores_signals_is_ended_all_the_same(tmp_path, code, ended_by):
    with Supervisor(tmp_path, patience=(0.3, 0.3, 10.0)) as supervisor:
        _start(supervisor, 'stubborn', code)
        assert supervisor.stop() == {'stubborn': -ended_by}


def test_all_children_are_asked_at_once(tmp_path):
    with Supervisor(tmp_path, patience=(1.0, 10.0, 10.0)) as supervisor:
        for name in 'abc':
            _start(supervisor, name, STUBBORN)
        started = time.monotonic()
        supervisor.stop()
        assert time.monotonic() - started < 2.5


def test_grandchildren_end_too(supervisor):
    _start(supervisor, 'parent', 'import subprocess, sys\n'
           f'child = subprocess.Popen([sys.executable, "-c", {DEAF!r}])\n'
           'print(child.pid, "is my child", flush=True)\nimport signal; signal.pause()')
    grandchild = int(next(line for line in supervisor.tail('parent')
                          if 'is my child' in line).split()[0])
    supervisor.stop()
    _until(lambda: not _alive(grandchild), 'the grandchild is gone')


def test_a_dead_child_is_named_with_its_code_and_last_lines(supervisor):
    _start(supervisor, 'healthy', POLITE)
    supervisor.start('ill', [sys.executable, '-c',
                             'for n in range(99): print("line", n, flush=True)\n'
                             'raise SystemExit("ouch")'])
    with pytest.raises(ChildDied) as caught:
        _until(supervisor.check, 'the child died')
    message = str(caught.value)
    assert message.startswith('ill ended by itself with exit code 1. Its last lines:')
    assert 'line 98' in message and 'ouch' in message and 'line 50\n' not in message
    assert 'healthy' not in message


def test_a_killed_child_is_named_with_the_signal(supervisor):
    supervisor.start('victim', [sys.executable, '-c', 'import signal; signal.pause()'])
    os.kill(supervisor.pid('victim'), signal.SIGKILL)
    with pytest.raises(ChildDied, match='victim was ended by SIGKILL. It has written nothing.'):
        _until(supervisor.check, 'the child died')


def test_memory_is_that_of_the_child(supervisor):
    _start(supervisor, 'large', 'block = bytearray(b"x" * 150_000_000); ' + POLITE)
    supervisor.check()
    assert 150 < supervisor.memory()['large'] < 250


def test_names_are_unique_and_commands_exist(supervisor):
    _start(supervisor, 'one', POLITE)
    with pytest.raises(ValueError, match="'one'"):
        supervisor.start('one', [sys.executable, '-c', POLITE])
    with pytest.raises(FileNotFoundError):
        supervisor.start('two', ['no-such-program-at-all'])
    assert supervisor.names == ['one']


def test_the_environment_is_passed_on(supervisor):
    supervisor.start('child', [sys.executable, '-c', 'import os; print(os.environ["COLOUR"])'],
                     {**os.environ, 'COLOUR': 'green'})
    _until(lambda: supervisor.tail('child') == ['green'], 'the child has printed')


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs prctl')
def test_children_end_when_the_supervisor_is_killed_outright(tmp_path):
    parent = subprocess.Popen([sys.executable, '-c', f'''
import signal, sys
from obai_ros.demo.processes import Supervisor
supervisor = Supervisor({str(tmp_path)!r})
supervisor.start('child', [sys.executable, '-c', {POLITE!r}])
while 'ready' not in supervisor.tail('child'):
    pass
print(supervisor.pid('child'), flush=True)
signal.pause()
'''], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert _alive(child)
    parent.kill()
    parent.wait()
    _until(lambda: not _alive(child), 'the child is gone')
    parent.stdout.close()
