# SPDX-License-Identifier: Apache-2.0
"""A worker that fails ends the process, unless the context was gone already; it can be asked."""
import os
import subprocess
import sys
import threading
import types

import pytest

from obai_ros.nodes.worker import Worker

FAIL = '''
import threading, types
from obai_ros.nodes.worker import start_worker

def work():
    raise RuntimeError('no publisher')

node = types.SimpleNamespace(context=types.SimpleNamespace(ok=lambda: {ok}))
start_worker(node, work)
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
'''


@pytest.mark.parametrize('ok, status', [(True, 1), (False, 0)])
def test_a_fault_ends_the_process_and_the_end_of_the_context_does_not(ok, status):
    ended = subprocess.run([sys.executable, '-c', FAIL.format(ok=ok)], text=True,
                           capture_output=True)
    assert ended.returncode == status
    assert ('RuntimeError: no publisher' in ended.stderr) == ok


def test_a_worker_does_everything_in_one_thread_in_order():
    worker = Worker(types.SimpleNamespace(context=None))
    threads = []
    for _ in range(3):
        worker.do(lambda: threads.append(threading.get_ident()))
    assert worker.ask(threading.get_ident) == threads[0] != threading.get_ident()
    assert threads == threads[:1] * 3


def test_whoever_asks_is_told_what_went_wrong_and_the_worker_goes_on():
    worker = Worker(types.SimpleNamespace(context=None))
    with pytest.raises(ZeroDivisionError):
        worker.ask(lambda: 1 / 0)
    assert worker.ask(lambda: 2) == 2


@pytest.mark.parametrize('variables, expected', [
    ({}, 'GOMP_SPINCOUNT = \'5000\''),
    ({'GOMP_SPINCOUNT': '77'}, 'GOMP_SPINCOUNT = \'77\''),
    ({'OMP_WAIT_POLICY': 'active'}, 'OMP_WAIT_POLICY = \'ACTIVE\'')])
def test_threads_that_wait_go_to_sleep_soon_unless_they_were_told_how(variables, expected):
    """Asked of libgomp itself, which reads its environment when torch brings it in."""
    program = ('import types; from obai_ros.nodes.worker import Worker; '
               'Worker(types.SimpleNamespace(context=None)); import torch')
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(('OMP_', 'GOMP_'))}
    said = subprocess.run([sys.executable, '-c', program], text=True, capture_output=True,
                          check=True, env={**kept, **variables, 'OMP_DISPLAY_ENV': 'verbose'})
    assert expected in said.stderr
    assert ('GOMP_SPINCOUNT = \'5000\'' in said.stderr) == (not variables)
