# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest

# Set before torch and rclpy are imported, so that nodes started by tests inherit it, too.
#
# Small tensors on a busy machine: threads that wait for each other cost more than they bring.
os.environ.setdefault('OMP_NUM_THREADS', '1')
# Tests kill nodes. A killed process leaves locked shared memory behind, on which a later one in
# the same ROS domain may wait; over UDP there is nothing to leave.
os.environ.setdefault('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')


# Whole loops in lock-step: they take long, and as long as they like.
PATIENT = {'test_benchmark.py', 'test_control.py', 'test_demo.py', 'test_engines.py'}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config, items):
    """Let tests that start nodes take turns on one worker of pytest-xdist: they need the time.

    Those of the demo stay together because they look at the same run of it.
    """
    if config.pluginmanager.hasplugin('xdist'):
        ros = Path(__file__).parent / 'ros'
        for item in items:
            if ros in item.path.parents and item.path.name not in PATIENT:
                item.add_marker(pytest.mark.xdist_group('ros'))
            elif item.path == ros / 'test_demo.py':
                item.add_marker(pytest.mark.xdist_group('demo'))
