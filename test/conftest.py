# SPDX-License-Identifier: Apache-2.0
import os

# Small tensors on a busy machine: threads that wait for each other cost more than they bring.
# Set before torch is imported, so that nodes started by tests inherit it too.
os.environ.setdefault('OMP_NUM_THREADS', '1')
