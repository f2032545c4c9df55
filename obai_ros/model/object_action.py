# SPDX-License-Identifier: Apache-2.0
"""Which acceleration did a slot's object receive? (eq. 7, Appendix D, and its closed form)."""
from __future__ import annotations

import math

import torch
from torch import Tensor

from obai_ros.model.belief import ActionBelief, Belief


def expected_action(mask: Tensor, acceleration: Tensor) -> Tensor:
    """
    Return [..., K, 2]: sum_i mhat_ik psi_i over the points of an action field (eq. 7), px/frame^2.

    mask: [..., K, P] at the points; acceleration: [..., P, 2].
    """
    return mask @ acceleration


def action_term(belief: ActionBelief, received: Tensor, sigma_psi: float) -> Tensor:
    """
    Return [..., K]: -E_q log N(a; received, sigma_psi^2 I), nats (eq. 21).

    Of log p(a | Psi) (eq. 17-18) this is Jensen's lower bound (eq. 19), by one sample of the
    assignment (eq. 20 and 22); the expectation over q(a) is taken exactly.

    received: [..., K, 2], the field summed under a sampled or expected assignment.
    """
    squares = ((belief.mean - received).square() + belief.variance).sum(-1)
    return 0.5 * squares / sigma_psi ** 2 + 2 * math.log(sigma_psi) + math.log(2 * math.pi)


def sampled_mask(log_mask: Tensor, gumbel: Tensor, temperature: float) -> Tensor:
    """
    Return [..., K, P]: an approximately one-hot sample of the assignment (eq. 22).

    log_mask: [..., K, P], log mhat at the points; gumbel: noise of that shape.
    """
    return torch.softmax((log_mask + gumbel) / temperature, -2)


def posterior(received: Tensor, before: Belief, now: Belief, D: Tensor, sigma_psi: float,
              sigma_s: float) -> ActionBelief:
    """
    Return the q(a) that minimises the free energy for given q(s, s').

    Beyond the paper, where a network infers it (Appendix D).

    Both terms that know a are quadratic, N(a; received, sigma_psi^2 I) and
    N(s'_t; s'_{t-1} + D a, sigma_s^2 I), so that
        Sigma = (I / sigma_psi^2 + D'D / sigma_s^2)^-1,
        mu = Sigma (received / sigma_psi^2 + D'(mu'_t - mu'_{t-1}) / sigma_s^2).
    q(a) has independent axes as in the paper: its variances are the inverses of the precision's
    diagonal, which is the optimum among such beliefs; the mean is the exact one.

    received: [..., K, 2]. D: [N, 2].
    """
    certainty = precision(D, sigma_psi, sigma_s)
    evidence = received / sigma_psi ** 2 + (now.velocity - before.velocity) @ D / sigma_s ** 2
    mean = evidence @ torch.linalg.inv(certainty)  # symmetric: no transpose needed
    log_sd = -0.5 * certainty.diagonal().log().expand_as(mean)
    return ActionBelief(mean, log_sd)


def precision(D: Tensor, sigma_psi: float, sigma_s: float) -> Tensor:
    """Return [2, 2]: Sigma^-1 of `posterior`, which no frame changes."""
    return (torch.eye(2, dtype=D.dtype, device=D.device) / sigma_psi ** 2
            + D.t() @ D / sigma_s ** 2)
