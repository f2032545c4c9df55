# SPDX-License-Identifier: Apache-2.0
"""A worker that fails ends the process, unless the context was gone already."""
import subprocess
import sys

import pytest

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
