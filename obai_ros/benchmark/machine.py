# SPDX-License-Identifier: Apache-2.0
"""What figures were measured on, without which they mean little."""
from __future__ import annotations

import os
import platform
import resource

import torch

from obai_ros import __version__


def machine(device: torch.device) -> dict:
    """Describe processor, GPU, cores that this process may use, threads, and versions."""
    return {
        'cpu': _processor(), 'cores': len(os.sched_getaffinity(0)),
        'threads': torch.get_num_threads(),
        'gpu': torch.cuda.get_device_name(device) if device.type == 'cuda' else None,
        'load': os.getloadavg()[0],
        'python': platform.python_version(), 'torch': torch.__version__,
        'obai_ros': __version__}


def _processor() -> str:
    with open('/proc/cpuinfo') as file:
        for line in file:
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


def resident_mb() -> float:
    """Return the resident memory of this process, MB."""
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def peak_memory(device: torch.device) -> dict[str, float]:
    """Return the most memory this process has had, MB: resident, and on the GPU if one is used."""
    found = {'resident_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6}
    if device.type == 'cuda':
        found['gpu_mb'] = torch.cuda.max_memory_allocated(device) / 1e6
    return found
