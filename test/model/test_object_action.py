# SPDX-License-Identifier: Apache-2.0
import math

import torch

from obai_ros.model.belief import ActionBelief, Belief
from obai_ros.model.config import ModelConfig
from obai_ros.model.dynamics import Dynamics
from obai_ros.model.noise import Noise
from obai_ros.model.object_action import (action_term, expected_action, posterior, sampled_mask)


def test_action_term_is_the_expectation_over_q():
    generator = torch.Generator().manual_seed(0)
    belief = ActionBelief(torch.tensor([[1.0, -2.0]]).double(),
                          torch.tensor([[-0.3, 0.2]]).double())
    received = torch.tensor([[0.5, 0.5]]).double()
    noise = torch.randn(400_000, 2, generator=generator, dtype=torch.float64)
    draws = belief.mean + belief.log_sd.exp() * noise
    log_p = torch.distributions.Normal(received, 0.3).log_prob(draws).sum(-1)
    error = float(log_p.std()) / math.sqrt(len(draws))
    assert abs(float(action_term(belief, received, 0.3)) + float(log_p.mean())) < 5 * error


def test_expected_action_weighs_points_by_mask():
    mask = torch.tensor([[1.0, 0.25], [0.0, 0.75]])
    acceleration = torch.tensor([[2.0, 0.0], [0.0, 4.0]])
    assert torch.equal(expected_action(mask, acceleration),
                       torch.tensor([[2.0, 1.0], [0.0, 3.0]]))


def test_samples_become_one_hot_and_follow_the_masks():
    generator = torch.Generator().manual_seed(0)
    log_mask = torch.tensor([0.2, 0.5, 0.3]).log()[:, None].expand(3, 50_000)
    sample = sampled_mask(log_mask, Noise(generator).gumbel(3, 50_000), temperature=0.05)
    assert torch.allclose(sample.sum(0), torch.ones(50_000), atol=1e-5)
    assert float((sample.max(0).values > 0.95).float().mean()) > 0.9
    assert torch.allclose(sample.mean(1), torch.tensor([0.2, 0.5, 0.3]), atol=0.01)


def test_the_posterior_is_the_minimum_of_the_free_energy_over_action_beliefs():
    torch.manual_seed(0)
    dynamics = Dynamics(ModelConfig.named('smoke')).double()
    with torch.no_grad():
        dynamics.D.normal_()  # axes that depend on each other

    def belief():
        return Belief(*(0.3 * torch.randn(4, 8).double() for _ in range(4)))

    before, now, received = belief(), belief(), torch.randn(4, 2).double()
    best = posterior(received, before, now, dynamics.D, 0.3, dynamics.sigma_s)

    def free_energy(mean, log_sd):
        action = ActionBelief(mean, log_sd)
        return (action_term(action, received, 0.3)
                + dynamics.transition_term(now, before, action) - action.entropy()).sum()

    mean, log_sd = best.mean.detach().requires_grad_(), best.log_sd.detach().requires_grad_()
    gradients = torch.autograd.grad(free_energy(mean, log_sd), [mean, log_sd])
    assert all(float(gradient.abs().max()) < 1e-9 for gradient in gradients)
    with torch.no_grad():
        lowest = free_energy(best.mean, best.log_sd)
        for _ in range(20):
            other = free_energy(best.mean + 0.1 * torch.randn(4, 2).double(),
                                best.log_sd + 0.1 * torch.randn(4, 2).double())
            assert other > lowest
