# SPDX-License-Identifier: Apache-2.0
"""Eq. 5-6 against samples."""
import math

import pytest
import torch

from obai_ros.model.belief import ActionBelief, Belief
from obai_ros.model.config import ModelConfig
from obai_ros.model.dynamics import Dynamics, prior_term


def random_belief(generator, size=8):
    values = [0.5 * torch.randn(size, generator=generator, dtype=torch.float64) for _ in range(4)]
    return Belief(values[0], values[1], values[2] - 1.5, values[3] - 1.5)


@pytest.fixture
def parts():
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    dynamics = Dynamics(ModelConfig.named('smoke')).double()
    with torch.no_grad():
        dynamics.D.normal_()  # every row matters
    action = ActionBelief(torch.tensor([1.0, -2.0]).double(), torch.tensor([-1.0, -0.5]).double())
    return dynamics, random_belief(generator), random_belief(generator), action, generator


def samples(mean, log_sd, count, generator):
    noise = torch.randn(count, len(mean), generator=generator, dtype=torch.float64)
    return mean + log_sd.exp() * noise


def test_transition_term_is_the_expectation_over_all_beliefs(parts):
    dynamics, before, now, action, generator = parts
    count = 400_000
    s0 = samples(before.mean, before.log_sd, count, generator)
    v0 = samples(before.velocity, before.velocity_log_sd, count, generator)
    s1 = samples(now.mean, now.log_sd, count, generator)
    v1 = samples(now.velocity, now.velocity_log_sd, count, generator)
    a0 = samples(action.mean, action.log_sd, count, generator)
    noise = torch.distributions.Normal(0.0, dynamics.sigma_s)
    log_p = (noise.log_prob(v1 - v0 - a0 @ dynamics.D.t())
             + noise.log_prob(s1 - s0 - v1)).sum(1)
    error = float(log_p.detach().std()) / math.sqrt(count)
    exact = dynamics.transition_term(now, before, action)
    assert abs(float((exact + log_p.mean()).detach())) < 5 * error


def test_extrapolation_propagates_means_and_variances(parts):
    dynamics, before, _, action, generator = parts
    count = 400_000
    sigma = dynamics.sigma_s
    draw = torch.zeros(8).double(), torch.full((8,), math.log(sigma)).double()
    v1 = (samples(before.velocity, before.velocity_log_sd, count, generator)
          + samples(action.mean, action.log_sd, count, generator) @ dynamics.D.t()
          + samples(*draw, count, generator))
    s1 = samples(before.mean, before.log_sd, count, generator) + v1 + samples(*draw, count,
                                                                              generator)
    after = dynamics.extrapolate(before, action)
    assert torch.allclose(after.mean, s1.mean(0), atol=0.01)
    assert torch.allclose(after.velocity, v1.mean(0), atol=0.01)
    assert torch.allclose(after.log_sd.exp(), s1.std(0), rtol=0.01)
    assert torch.allclose(after.velocity_log_sd.exp(), v1.std(0), rtol=0.01)


def test_prior_term_and_entropy_against_torch_distributions(parts):
    _, belief, _, action, _ = parts
    for each, mean, log_sd in ((belief, torch.cat([belief.mean, belief.velocity]),
                                torch.cat([belief.log_sd, belief.velocity_log_sd])),
                               (action, action.mean, action.log_sd)):
        q = torch.distributions.Normal(mean, log_sd.exp())
        assert torch.allclose(each.entropy(), q.entropy().sum())
    q = torch.distributions.Normal(torch.cat([belief.mean, belief.velocity]),
                                   torch.cat([belief.log_sd, belief.velocity_log_sd]).exp())
    # KL(q || p) = E[-log p] - H(q)
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum()
    assert torch.allclose(prior_term(belief) - belief.entropy(), kl)


def test_packing_is_reversible(parts):
    belief = parts[1]
    again = Belief.unpack(belief.pack())
    assert torch.equal(again.velocity_log_sd, belief.velocity_log_sd)
    assert torch.equal(again.velocity, belief.velocity)


@pytest.mark.parametrize('preset, learned', [('smoke', 2), ('fast', 2), ('paper', 16)])
def test_accelerations_move_squares_and_learn_to_do_nothing_else(parts, preset, learned):
    config = ModelConfig.named(preset)
    dynamics, generator = Dynamics(config).double(), parts[-1]
    before, now = (random_belief(generator, config.latent_size) for _ in range(2))
    dynamics.transition_term(now, before, parts[3]).backward()
    assert (dynamics.D.grad[:learned] != 0).all()
    assert (dynamics.D.grad[learned:] == 0).all()
    if preset != 'paper':  # and confined velocities lead straight on
        velocity = torch.zeros(config.latent_size).double()
        velocity[:2] = torch.tensor([0.3, -0.2])
        assert torch.allclose(dynamics.confined(velocity), velocity)
        assert (dynamics.confined(now.velocity)[2:] == 0).all()
