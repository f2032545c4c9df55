# SPDX-License-Identifier: Apache-2.0
"""Which device computes, by the name that people give."""
from __future__ import annotations

import torch


def choose_device(name: str) -> torch.device:
    """
    Return the device for auto, cpu, cuda or cuda:N; auto takes the first GPU if there is one.

    Raises ValueError, with what to do, for a device that is not there.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == 'auto':
        return torch.device('cuda:0' if count else 'cpu')
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f'device is {name!r}: expected auto, cpu, cuda or cuda:N') from error
    if device.type == 'cuda' and (device.index or 0) >= count:
        raise ValueError(
            f'device {name} is not there: torch {torch.__version__} sees {count} CUDA devices; '
            'choose auto or cpu, or install a driver and a torch built for it')
    return device
