# SPDX-License-Identifier: Apache-2.0
"""
The direct engine on a GPU, its kernels recorded once for each shape and replayed (CUDA graphs).

A refinement is some four hundred kernels of a few microseconds; to launch them one by one takes a
host longer than the GPU needs to run them.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from obai_ros.model.agreement import agrees, example
from obai_ros.model.engine import Direct
from obai_ros.model.obai import Obai

WARM_UPS = 3
"""Runs before a recording, in which libraries choose their kernels and allocate what they need."""


class Graphs(Direct):
    """
    Replays recordings for the shapes that it has them for; written-out code runs for others.

    shapes: (sequences, frames) of the windows to record for, and (sequences, PERCEPT). warn: takes
    a sentence if that cannot be done. record: makes a recording of a function with example inputs.
    Raises ValueError for networks that are not written out.
    """

    name = 'graphs'

    def __init__(self, model: Obai, shapes: Sequence[tuple[int, int]],
                 warn: Callable[[str], None], record: Callable | None = None):
        super().__init__(model)
        if record is None and model.device.type != 'cuda':
            warn(f'CUDA graphs are for a GPU, not for {model.device}: the direct engine takes '
                 'over')
            return
        for shape in shapes:
            inputs = example(model, shape)
            written_out = self.written_out(shape[1])
            try:
                recording = (record or Recording)(written_out, inputs)
                right = agrees(recording, written_out, inputs)
            except RuntimeError as error:
                warn(f'recording CUDA graphs failed ({str(error).splitlines()[0]}): the direct '
                     f'engine takes over')
                return
            if not right:
                warn(f'a CUDA graph for windows of (sequences, frames) {shape} gives other '
                     'results than it should: the direct engine takes over for these')
                continue
            self.prepared[shape] = recording

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Return the shapes for which there is a recording."""
        return list(self.prepared)


class Recording:
    """A function from tensors to tensors of a GPU, recorded; for arguments like `inputs`."""

    @torch.no_grad()
    def __init__(self, function: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor, ...]):
        # What is recorded reads and writes the same memory each time.
        self._inputs = tuple(value.clone() for value in inputs)
        device = inputs[0].device
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                function(*self._inputs)
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = tuple(function(*self._inputs))

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for kept, value in zip(self._inputs, inputs, strict=True):
            kept.copy_(value)
        self._graph.replay()
        # Copies: the next replay writes over the recording's own.
        return tuple(value.clone() for value in self._outputs)
