# SPDX-License-Identifier: Apache-2.0
"""Limits of the accelerations: clipping, and the optimum within a box."""

from __future__ import annotations

import torch
from torch import Tensor


def clip(plan: Tensor, limit: float) -> Tensor:
    """Return the plan [..., T, 2] with each component within [-limit, limit], px/frame^2."""
    return plan.clamp(-limit, limit)


def box_minimum(hessian: Tensor, target: Tensor, limit: float, start: Tensor,
                curvature: tuple[Tensor, Tensor], iterations: int) -> Tensor:
    """
    Return the minimiser [P, n] of x' H x / 2 - b' x within |x_i| <= limit.

    `hessian` H [P, n, n] positive definite, `target` b and `start` [P, n], `curvature` the least
    and the greatest eigenvalue of H [P] (bounds will do). Projected gradient with the constant
    momentum of strongly convex problems and a fixed number of iterations, so that a plan always
    takes the same time; after t of them the error has shrunk like (1 - sqrt(least/greatest))^t.
    """
    least, greatest = curvature
    ratio = (least / greatest).clamp(0, 1).sqrt()[:, None, None]
    overshoot = 1 + (1 - ratio) / (1 + ratio)
    # One product per iteration: a gradient step is affine in the point.
    identity = torch.eye(hessian.shape[-1], dtype=hessian.dtype, device=hessian.device)
    advance = identity - hessian / greatest[:, None, None]
    shift = (target / greatest[:, None])[..., None]
    point = start[..., None].clamp(-limit, limit)
    ahead = point
    for _ in range(iterations):
        new = torch.baddbmm(shift, advance, ahead).clamp_(-limit, limit)
        ahead = torch.lerp(point, new, overshoot)
        point = new
    return point.squeeze(-1)
