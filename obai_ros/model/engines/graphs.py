# SPDX-License-Identifier: Apache-2.0
"""
The direct engine on a GPU, its kernels recorded once for each part and replayed (CUDA graphs).

A refinement is some four hundred kernels of a few microseconds; to launch them one by one takes a
host longer than the GPU needs to run them.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from obai_ros.model.engines.agreement import agrees, example
from obai_ros.model.engines.direct import Direct
from obai_ros.model.engines.part import Part
from obai_ros.model.obai import Obai

WARM_UPS = 3
"""Runs before a recording, in which libraries choose their kernels and allocate what they need."""


class Graphs(Direct):
    """
    Replays recordings of the parts that it has them of; written-out code does the others.

    parts: what to record. warn: takes a sentence if that cannot be done. record: makes a recording
    of a function with example inputs.
    Raises ValueError for networks that are not written out.
    """

    name = 'graphs'

    def __init__(self, model: Obai, parts: Sequence[Part],
                 warn: Callable[[str], None], record: Callable | None = None):
        super().__init__(model)
        self._parts = frozenset(parts)
        if record is None and model.device.type != 'cuda':
            warn(f'CUDA graphs are for a GPU, not for {model.device}: the direct engine takes '
                 'over')
            return
        for part in parts:
            written_out = self.written_out(part)
            try:
                recording = (record or Recording)(written_out, example(model, part))
                right = agrees(recording, written_out, model, part)
            except RuntimeError as error:
                warn(f'recording CUDA graphs failed ({str(error).splitlines()[0]}): the direct '
                     f'engine takes over')
                return
            if not right:
                warn(f'a CUDA graph to {part} gives other results than it should: the direct '
                     'engine takes over for it')
                continue
            self.prepared[part] = recording

    @property
    def working(self) -> str:
        return self.name if self._parts <= self.prepared.keys() else Direct.name


class Recording:
    """
    A function from tensors to tensors of a GPU, recorded; for arguments like `inputs`.

    Tensors that are given to it are not to be changed in place afterwards.
    """

    _given: tuple[Tensor, ...] = ()

    @torch.no_grad()
    def __init__(self, function: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor, ...]):
        # What is recorded reads and writes the same memory each time.
        self._inputs = tuple(value.clone() for value in inputs)
        # A stream belongs to one device, and torch would take one of whichever was the current
        # device when a graph was recorded first. What other threads do meanwhile is no fault.
        with torch.cuda.device(inputs[0].device):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(WARM_UPS):
                    function(*self._inputs)
            torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode='thread_local'):
                self._outputs = tuple(function(*self._inputs))

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        given = self._given or (None,) * len(inputs)
        for kept, before, value in zip(self._inputs, given, inputs, strict=True):
            # Most of what a refinement is given is the same for the next, and there already.
            if value is not before:
                kept.copy_(value)
        self._given = inputs
        self._graph.replay()
        # Copies: the next replay writes over the recording's own.
        return tuple(value.clone() for value in self._outputs)
