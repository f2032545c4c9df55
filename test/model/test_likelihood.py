# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

from obai_ros.model.likelihood import mixture

SIGMA = 0.3


def random_output(seed=0):
    generator = torch.Generator().manual_seed(seed)
    output = 2 * torch.randn(2, 4, 4, 30, generator=generator, dtype=torch.float64)
    image = torch.rand(2, 3, 30, generator=generator, dtype=torch.float64)
    return output, image


def by_autograd(output, image):
    """-log p as eq. 1-4 state it, differentiable."""
    colour, logit = torch.sigmoid(output[:, :, :3]), output[:, :, 3]
    normal = torch.distributions.Normal(colour, SIGMA).log_prob(image[:, None]).sum(2)
    return -torch.logsumexp(torch.log_softmax(logit, 1) + normal, 1).sum()


def test_likelihood_is_that_of_scipy():
    output, image = random_output()
    colour = torch.sigmoid(output[:, :, :3]).numpy()
    logit = output[:, :, 3].numpy()
    log_mask = logit - logsumexp(logit, axis=1, keepdims=True)
    normal = norm.logpdf(image[:, None].numpy(), colour, SIGMA).sum(2)
    expected = -logsumexp(log_mask + normal, axis=1).sum(1)
    seen = mixture(output, image, SIGMA)
    assert torch.allclose(seen.negative_log_likelihood(), torch.from_numpy(expected), rtol=1e-12)


def test_output_gradient_is_that_of_autograd():
    output, image = random_output()
    output.requires_grad_()
    expected, = torch.autograd.grad(by_autograd(output, image), output)
    found = mixture(output, image, SIGMA).output_gradient()
    assert (found - expected).norm() / expected.norm() < 1e-12


def test_output_gradient_is_that_of_finite_differences():
    output, image = random_output(1)
    found = mixture(output, image, SIGMA).output_gradient()
    step = 1e-6
    for place in [(0, 0, 0, 3), (1, 2, 3, 7), (0, 3, 1, 29), (1, 1, 2, 0)]:
        up, down = output.clone(), output.clone()
        up[place] += step
        down[place] -= step
        slope = (by_autograd(up, image) - by_autograd(down, image)) / (2 * step)
        assert abs(slope - found[place]) < 1e-5 * max(abs(slope), 1e-3)


def test_masks_and_responsibilities_are_distributions():
    seen = mixture(*random_output(), SIGMA)
    for share in (seen.mask, seen.responsibility):
        assert torch.allclose(share.sum(1), torch.ones_like(share[:, 0]))
        assert (share >= 0).all()


def test_a_perfect_slot_explains_the_image_up_to_the_noise():
    image = torch.full((1, 3, 5), 0.5, dtype=torch.float64)
    output = torch.zeros(1, 2, 4, 5, dtype=torch.float64)  # sigmoid(0) = 0.5
    expected = 5 * 3 * (math.log(SIGMA) + 0.5 * math.log(2 * math.pi))
    value = mixture(output, image, SIGMA).negative_log_likelihood()
    assert torch.allclose(value, torch.tensor([expected], dtype=torch.float64))


def test_far_colours_and_extreme_logits_stay_finite():
    output = torch.tensor([[[-90., -90., -90., 500.], [90., 90., 90., -500.]]])[..., None]
    seen = mixture(output, torch.ones(1, 3, 1), 0.01)
    assert torch.isfinite(seen.output_gradient()).all()
    assert torch.isfinite(seen.negative_log_likelihood()).all()


def test_what_assignments_leave_unexplained_is_the_spread_of_colours_within_slots():
    output, image = random_output()
    seen = mixture(output, image, SIGMA)
    share = seen.claims(image, SIGMA)[:, :, 0].numpy()
    left = np.zeros(2)
    for b in range(2):
        for k in range(4):
            colour = np.average(image[b].numpy(), 1, share[b, k])
            away = np.square(image[b].numpy() - colour[:, None]).sum(0)
            left[b] += share[b, k] @ away / (2 * SIGMA ** 2)
    assert torch.allclose(seen.unexplained(image, SIGMA), torch.from_numpy(left), rtol=1e-9)


def test_who_is_not_there_claims_nothing_whatever_the_colour():
    colours = torch.tensor([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]])
    logit = torch.tensor([[0.0, 0.0, 0.0], [-8.0, -5.0, 8.0]])
    output = torch.cat([torch.logit(colours)[:, :, None].expand(-1, -1, 3), logit[:, None]], 1)
    image = torch.full((1, 3, 3), 0.1)
    seen = mixture(output[None], image, 0.05)
    assert (seen.responsibility[0, 1, 0] > 0.99).all()
    claims = seen.claims(image, 0.05)
    assert claims[0, 0, 0].tolist() == pytest.approx([1.0, 1.0, 0.0], abs=1e-6)
    assert torch.allclose(claims.sum(1), torch.ones(1, 1, 3))


def test_many_slots_of_which_none_is_sure_claim_what_there_is():
    found = mixture(torch.zeros(1, 120, 4, 9), torch.full((1, 3, 9), 0.5), 0.1)
    claims = found.claims(torch.full((1, 3, 9), 0.5), 0.1)
    assert torch.allclose(claims.sum(-3), torch.ones(1, 1, 9))
    assert torch.isfinite(found.unexplained(torch.full((1, 3, 9), 0.5), 0.1)).all()


def test_a_slot_of_half_a_pixel_leaves_nothing_where_its_colour_is_right():
    logit = torch.tensor([[0.0] * 10, [-3.0] * 10])
    output = torch.cat([torch.full((2, 3, 10), 20.0), logit[:, None]], 1)[None]
    white = torch.ones(1, 3, 10)
    seen = mixture(output, white, 0.1)
    assert 0.3 < float(seen.claims(white, 0.1)[0, 1].sum()) < 0.6
    assert abs(float(seen.unexplained(white, 0.1))) < 1e-2


def test_an_object_that_is_left_out_stays_unexplained_and_a_blurred_one_does_not():
    image = torch.zeros(1, 3, 40)
    image[:, :, :10], image[:, 0, 10:20] = 0.8, 1.0
    colours = torch.tensor([[0.8, 0.8, 0.8], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])

    def left(logit, colour):
        output = torch.cat([torch.logit(colour, 1e-4)[:, :, None].expand(-1, -1, 40),
                            logit[:, None]], 1)[None]
        return float(mixture(output, image, 0.15).unexplained(image, 0.15))

    vague = torch.zeros(3, 40)  # anybody may be anywhere, colours tell
    assert left(vague, colours) < 0.1
    merged = colours.clone()
    merged[1] = merged[0]
    assert left(vague, merged) > 50
