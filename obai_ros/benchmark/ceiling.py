# SPDX-License-Identifier: Apache-2.0
"""What this machine can do at most, measured: the figure that a model is held against."""
from __future__ import annotations

import time
from collections.abc import Callable

import torch

from obai_ros.benchmark.case import Case
from obai_ros.benchmark.timing import settle
from obai_ros.model.refiner import IMAGE_INPUTS

SIDE = {'cpu': 1024, 'cuda': 8192}
"""Of the square matrices that are multiplied: large enough for all there is to give."""


def measure_ceiling(case: Case, seconds: float = 0.5) -> dict:
    """
    Return billions of operations per second of a convolution and of a matrix product, and bytes.

    convolution: one of the decoder's hidden layers, on all slots and frames of the case's window
    at once. matmul: of large square matrices. copy_gb_s: reading and writing a tensor as large as
    the images that refinement reads, 10^9 bytes (read and written) per second. All in the
    precision of the case and with the threads that torch has. gflops: the faster of the two.
    """
    device, config = case.torch_device, case.config
    dtype = torch.bfloat16 if case.precision == 'bfloat16' else torch.float32
    model, _ = case.model()
    layer = model.decoder.layers[1].to(dtype)
    images, grid = case.batch * case.window * config.num_slots, model.decoder.grid_size
    x = torch.randn(images, layer.in_channels, grid, grid, device=device, dtype=dtype)
    x = x.contiguous(memory_format=torch.channels_last)
    side = SIDE[device.type]
    a, b = torch.randn(2, side, side, device=device, dtype=dtype)
    pixels = torch.randn(images, IMAGE_INPUTS, config.image_size ** 2, device=device, dtype=dtype)
    copy = torch.empty_like(pixels)

    kernel = layer.kernel_size[0]
    convolution = 2 * kernel ** 2 * layer.in_channels * layer.out_channels * images * grid ** 2
    with torch.no_grad():
        convolved = convolution / _fastest(lambda: layer(x), device, seconds) / 1e9
        multiplied = 2 * side ** 3 / _fastest(lambda: a @ b, device, seconds) / 1e9
        copied = _fastest(lambda: copy.copy_(pixels), device, seconds)
    return {
        'precision': case.precision,
        'convolution': f'{kernel}x{kernel}, {layer.in_channels} channels, {images} slot-frames '
                       f'of {grid}x{grid}',
        'convolution_gflops': convolved,
        'matmul': f'{side}x{side} by {side}x{side}', 'matmul_gflops': multiplied,
        'gflops': max(convolved, multiplied),
        'copy_mb': pixels.nbytes / 1e6, 'copy_gb_s': 2 * pixels.nbytes / copied / 1e9}


def _fastest(function: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Return the least seconds of a call, of as many as fit into the time given: a ceiling."""
    function()
    settle(device)
    taken, began = [], time.perf_counter()
    while not taken or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        function()
        settle(device)
        taken.append(time.perf_counter() - start)
    return min(taken)
