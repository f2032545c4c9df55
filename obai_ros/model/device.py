# SPDX-License-Identifier: Apache-2.0
"""What computes, and how precisely, by the names that people give."""
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
    if device.type not in ('cpu', 'cuda'):
        raise ValueError(f'device is {name!r}: expected auto, cpu, cuda or cuda:N')
    if device.type == 'cuda' and (device.index or 0) >= count:
        raise ValueError(
            f'device {name} is not there: torch {torch.__version__} sees {count} CUDA devices; '
            'choose auto or cpu, or install a driver and a torch built for it')
    return device


def choose_precision(name: str, device: torch.device, emulate: bool = False) -> tuple[str, str]:
    """
    Return the precision of convolutions for auto, float32 or bfloat16, and what to warn of.

    auto takes bfloat16 where the device computes with it by itself. Where it does not, emulation
    is slower than float32, which is then used unless bfloat16 was asked for by name and is to be
    emulated; the warning, '' if there is none, says so. Raises ValueError for another name.
    """
    if name not in PRECISIONS:
        raise ValueError(f'precision is {name!r}: expected one of {", ".join(PRECISIONS)}')
    if name == 'float32' or _computes_bfloat16(device):
        return ('float32' if name == 'float32' else 'bfloat16'), ''
    if name == 'auto':
        return 'float32', ''
    if emulate:
        return 'bfloat16', (f'this {device.type} device does not compute with bfloat16 by itself: '
                            f'to emulate it takes several times as long as float32, which the '
                            f'precision auto would choose')
    return 'float32', (f'precision bfloat16 is not supported by this {device.type} device; '
                       'computing in float32')


PRECISIONS = ('auto', 'float32', 'bfloat16')


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Not public, and not in every version of torch; without an answer the answer is no.
    names = ('_is_avx512_bf16_supported', '_is_amx_tile_supported')
    return any(getattr(torch.cpu, name, bool)() for name in names)
