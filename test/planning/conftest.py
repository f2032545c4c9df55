# SPDX-License-Identifier: Apache-2.0
"""Random beliefs, goals and dynamics in double precision, so that algebra can be checked."""
import pytest
import torch

from obai_ros.model.belief import Belief
from obai_ros.planning.preference import Preference

LATENT = 6


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def dynamics(generator):
    return 0.3 * torch.randn(LATENT, 2, generator=generator, dtype=torch.float64)


@pytest.fixture
def make_belief(generator):
    """Make beliefs about objects that move."""
    def make(batch=2, slots=3, sd=0.1):
        shape = (batch, slots, LATENT)
        mean, velocity = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
        log_sd = torch.full(shape, sd, dtype=torch.float64).log()
        return Belief(mean, 0.3 * velocity, log_sd, log_sd.clone())

    return make


@pytest.fixture
def make_preference(generator):
    """Make preferences with a full covariance for each slot."""
    def make(batch=2, slots=3):
        mean = torch.randn(batch, slots, LATENT, generator=generator, dtype=torch.float64)
        root = torch.randn(batch, slots, LATENT, LATENT, generator=generator,
                           dtype=torch.float64)
        covariance = root @ root.mT / LATENT + 0.1 * torch.eye(LATENT, dtype=torch.float64)
        return Preference.from_covariance(mean, covariance)

    return make
