# SPDX-License-Identifier: Apache-2.0
"""
What `glimpse` weighs written out: values between rows, and how they change with the square.

Of the weights of a place among rows two are not zero. Compiled code takes those two rows on its
way to what comes next, which is cheaper than a product with all of them.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

from obai_ros.model.glimpse import LEAST, MOST, REACH, place_of


def distances(at: Tensor, count: int) -> Tensor:
    """Return [..., E, H]: how far places at [..., H] are from each of E = count rows."""
    return at[..., None, :] - torch.arange(count, dtype=at.dtype, device=at.device)[:, None]


def neighbours(at: Tensor, count: int) -> Tensor:
    """Return [..., 2] int64: the two of `count` rows beside places at [...]."""
    # Bounded as integers, so that nothing, not even a NaN, is looked for outside of the rows.
    below = at.floor().long().clamp(0, count - 2)
    return torch.stack([below, below + 1], -1)


def between(weights: Tensor, table: Tensor, rows: Tensor) -> Tensor:
    """
    Return [S, H, ...]: weights [S, H, E] times tables [T, E, ...].

    rows: [S, H, few] int64, see `neighbours`: the weights of all others are zero. S / T
    consecutive slots share each table.
    """
    shape, weights = rows.shape[:2], weights.to(table.dtype)
    if not torch.compiler.is_compiling():
        # Step by step, a product is cheaper than taking rows.
        product = weights.unflatten(0, (len(table), -1)).flatten(1, 2) @ table.flatten(2)
        return product.view(*shape, *table.shape[2:])
    first = torch.arange(len(table), device=table.device).repeat_interleave(
        len(rows) // len(table))[:, None, None] * table.shape[1]
    index, shares = (first + rows).flatten(0, 1), weights.gather(-1, rows)
    total = 0.0
    for which in range(rows.shape[-1]):
        value = table.flatten(0, 1).index_select(0, index[:, which]).unflatten(0, shape)
        total = total + value * shares[..., which].view(*shape, *[1] * (value.ndim - 2))
    return total


def slope(distance: Tensor) -> Tensor:
    """Return the derivative of `glimpse.hat`, at its kinks as autograd has it."""
    # None at the tip, and at the feet that of the inside.
    return torch.where(distance.abs() <= 1.0, -distance.sign(), 0.0)


def place_gradient(pull: Tensor, at: Tensor, state: Tensor, texels: int, image_size: int
                   ) -> Tensor:
    """
    Return [S, 3], the gradient with respect to the place and size of squares in states [S, N].

    pull: [2, S, H], the gradient with respect to at = `glimpse.drawn_at(state, ...)`.
    """
    _, side = place_of(state, image_size)
    centre = pull.sum(-1).T * (-REACH * image_size * texels / side)[:, None]
    outwards = pull * (at - (texels / 2.0 - 0.5))
    share = state[:, 2:3].sigmoid()
    growth = -math.log(MOST / LEAST) * share * (1.0 - share) * outwards.sum((0, 2))[:, None]
    return torch.cat([centre, growth], -1)
