# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
import torch

from obai_ros.action_field import ActionField
from obai_ros.model.config import ModelConfig
from obai_ros.model.engine import Engine
from obai_ros.model.obai import Obai

SMOKE = ModelConfig.named('smoke')


@pytest.fixture
def make_model():
    """Return a function that makes a small random model in float64, refined by `kind`."""
    def make(**changes) -> Obai:
        torch.manual_seed(0)
        return Obai(replace(SMOKE, **changes)).double().eval()
    return make


@pytest.fixture(params=['smoke', 'fast'])
def glimpses(request):
    """Return configurations of networks of glimpses: of two sizes, in turn."""
    return ModelConfig.named(request.param)


@pytest.fixture
def make_clip():
    """Return a function that makes random images [B, T, 3, H, W] and a field per frame."""
    def make(batch=2, frames=3, size=32, points=3, seed=0):
        generator = torch.Generator().manual_seed(seed)
        images = torch.rand(batch, frames, 3, size, size, generator=generator).double()
        fields = [ActionField(
            torch.randint(size, (batch, points), generator=generator),
            torch.randint(size, (batch, points), generator=generator),
            4 * torch.randn(batch, points, 2, generator=generator), size, size)
            for _ in range(frames)]
        return images, fields
    return make


class Counting(Engine):
    """Remembers how many refinements it was asked for, each time."""

    def __init__(self):
        self.spent = []

    def refine(self, model, window, iterations, noise):
        self.spent.append(iterations)
        return super().refine(model, window, iterations, noise)


@pytest.fixture
def counting_engine():
    return Counting()
