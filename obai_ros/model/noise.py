# SPDX-License-Identifier: Apache-2.0
"""Standard Normal and Gumbel samples, from explicit generators."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Noise:
    """
    A source of random numbers for a batch of B sequences.

    generators: either one generator for the whole batch (fast; training), or one for each
    sequence, which makes a sequence's numbers independent of what else is in the batch.
    """

    def __init__(self, generators: torch.Generator | Sequence[torch.Generator], device='cpu'):
        self.shared = generators if isinstance(generators, torch.Generator) else None
        self.generators = None if self.shared else list(generators)
        self.device = torch.device(device)

    @staticmethod
    def seeded(seeds: Sequence[int], device='cpu') -> Noise:
        """Return one stream for each sequence. Numbers are drawn on the CPU: same everywhere."""
        return Noise([torch.Generator().manual_seed(int(seed)) for seed in seeds], device)

    def __getitem__(self, index: Tensor) -> Noise:
        """Return the source of some of the sequences, index [P] int64; they share its numbers."""
        if self.shared is not None:
            return self
        return Noise([self.generators[number] for number in index.tolist()], self.device)

    def normal(self, *shape: int, dtype=torch.float32) -> Tensor:
        """Return [B, ...] samples of N(0, 1)."""
        return self._draw(torch.randn, shape, dtype)

    def gumbel(self, *shape: int, dtype=torch.float32) -> Tensor:
        """Return [B, ...] samples of the standard Gumbel distribution."""
        uniform = self._draw(torch.rand, shape, dtype)
        tiny = torch.finfo(dtype).tiny
        return -(-uniform.clamp(min=tiny).log()).clamp(min=tiny).log()

    def samples(self, wanted: bool) -> Noise:
        """Return what beliefs are sampled with: this, or what makes their means of samples."""
        return self if wanted else Silence(self.device)

    def _draw(self, function, shape, dtype) -> Tensor:
        if self.shared is not None:
            return function(shape, generator=self.shared, device=self.shared.device,
                            dtype=dtype).to(self.device)
        if shape[0] != len(self.generators):
            raise ValueError(f'noise for {shape[0]} sequences was asked of a source with '
                             f'{len(self.generators)} streams')
        rows = [function(shape[1:], generator=generator, dtype=dtype)
                for generator in self.generators]
        # Numbers in ordinary memory are copied before this returns; the host need not wait longer.
        return torch.stack(rows).to(self.device, non_blocking=True)


class Silence(Noise):
    """Zeros in place of samples of N(0, 1): a sample of a belief is its mean."""

    def __init__(self, device='cpu'):
        super().__init__((), device)

    def __getitem__(self, index: Tensor) -> Noise:
        return self

    def normal(self, *shape: int, dtype=torch.float32) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=self.device)
