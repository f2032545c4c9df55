# SPDX-License-Identifier: Apache-2.0
"""One thread: cores that are wanted by others make several threads slower by far than one."""
import pytest
import torch


@pytest.fixture(autouse=True, scope='session')
def one_thread():
    torch.set_num_threads(1)
