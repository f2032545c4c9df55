# SPDX-License-Identifier: Apache-2.0
"""The pixel mixture (eq. 1-4) and, in closed form, its gradients with respect to an image."""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


PLAUSIBLE = 0.01
"""Share of a slot in a pixel, before the image is looked at, from which on it may claim it."""

LEAST_MASS = 1e-6
"""Pixels: less belongs to no slot that has a colour, and would only be divided by."""


@dataclass(frozen=True)
class Mixture:
    """
    How K decoded slots explain an image; pixels M in any order.

    colour: [..., K, 3, M], g(s) in [0, 1].
    mask: [..., K, 1, M], mhat; sums to one over K. log_mask: its logarithm.
    responsibility: [..., K, 1, M], mhat_k N_k / sum: the posterior of the assignment.
    log_likelihood: [..., 1, 1, M], log p(o_i | s), nats.
    colour_gradient: [..., K, 3, M], d(-log p)/d colour = -responsibility (o - g) / sigma_o^2.
    logit_gradient: [..., K, 1, M], d(-log p)/d mask logit = mhat - responsibility.
    """

    colour: Tensor
    mask: Tensor
    log_mask: Tensor
    responsibility: Tensor
    log_likelihood: Tensor
    colour_gradient: Tensor
    logit_gradient: Tensor

    def negative_log_likelihood(self) -> Tensor:
        """Return [...]: -log p(o | s) of whole images, nats."""
        return -self.log_likelihood.sum((-1, -2, -3))

    def shares(self) -> Tensor:
        """Return [..., K]: the same, shared among the slots by responsibility, nats."""
        return -(self.responsibility[..., 0, :] @ self.log_likelihood[..., 0, 0, :, None])[..., 0]

    def claims(self, image: Tensor, sigma_o: float) -> Tensor:
        """
        Return [..., K, 1, M], the responsibilities of slots whose mask does not rule them out.

        image: [..., 3, M]. A slot of the right colour is responsible for pixels far from where it
        says that it is, if nobody else explains them at all; that is no explanation.
        """
        # Not the responsibilities themselves: those of all who may claim a pixel can be zero.
        error = (image.unsqueeze(-3) - self.colour).square().sum(-2, keepdim=True)
        joint = self.log_mask - error / (2.0 * sigma_o ** 2)
        # Of many slots none may have more than PLAUSIBLE; one has at least 1 / K.
        least = min(PLAUSIBLE, 0.5 / self.mask.shape[-3])
        return joint.masked_fill(self.mask <= least, -torch.inf).softmax(-3)

    def unexplained(self, image: Tensor, sigma_o: float) -> Tensor:
        """
        Return [...]: what is left of images [..., 3, M] if each slot has one colour, nats.

        The colour is the mean of the pixels assigned to it. It does not depend on what a decoder
        can draw, only on who is where: beliefs that leave out an object, or give one slot two of
        them, leave more than those that merely draw outlines badly.
        """
        share = self.claims(image, sigma_o)[..., 0, :]                     # [..., K, M]
        mass = share.sum(-1)
        colour = share @ image.mT / mass.clamp(min=LEAST_MASS)[..., None]
        # sum_ik r_ik |o_i - c_k|^2, with c_k the mean of its pixels
        left = image.square().sum((-1, -2)) - (mass * colour.square().sum(-1)).sum(-1)
        return left / (2.0 * sigma_o ** 2)

    def output_gradient(self) -> Tensor:
        """Return [..., K, 4, M]: d(-log p)/d(decoder output), through the colours' sigmoid."""
        slope = self.colour * (1.0 - self.colour)
        return torch.cat([self.colour_gradient * slope, self.logit_gradient], -2)


@torch.no_grad()
def mixture(output: Tensor, image: Tensor, sigma_o: float) -> Mixture:
    """
    Compare decoder outputs with an image.

    output: [..., K, 4, M], RGB before the sigmoid and mask logit. image: [..., 3, M] in [0, 1].
    No graph is recorded: the gradients are part of the answer.
    """
    colour = torch.sigmoid(output[..., :3, :])
    log_mask = torch.log_softmax(output[..., 3:, :], dim=-3)                # eq. 2 and 4
    error = image.unsqueeze(-3) - colour  # [..., K, 3, M]
    precision = 1.0 / sigma_o ** 2
    squared = error[..., 0:1, :].square() + error[..., 1:2, :].square()
    squared += error[..., 2:3, :].square()
    log_joint = torch.add(log_mask, squared, alpha=-0.5 * precision)        # eq. 1 in each slot
    log_likelihood = torch.logsumexp(log_joint, -3, keepdim=True)           # eq. 3
    responsibility = (log_joint - log_likelihood).exp_()
    mask = log_mask.exp()
    return Mixture(
        colour=colour, mask=mask, log_mask=log_mask, responsibility=responsibility,
        log_likelihood=log_likelihood - 3.0 * (math.log(sigma_o) + 0.5 * math.log(2 * math.pi)),
        colour_gradient=error.mul_(responsibility).mul_(-precision),
        logit_gradient=mask - responsibility)
