# SPDX-License-Identifier: Apache-2.0
"""
Glimpses: the square of the image in which a slot draws its object, and looks at it.

Beyond the paper, whose decoder has to learn anew at each place what an object looks like. Here
three of a state's dimensions say where the square is and how large; networks see what is inside it
only, in its own coordinates, so that one place and size teaches all others (spatial transformers:
M. Jaderberg and others, 2015, arXiv:1506.02025; in scenes of objects: S. Eslami and others, 2016,
arXiv:1603.08575). Drawing and looking interpolate linearly, between texels or pixels, along one
axis after the other: two products with narrow-banded matrices, which are differentiated with
respect to place and size like everything else.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

PLACE = 3
"""Dimensions of a state that say where its square is: x, y, and size, see `place_of`."""

REACH = 0.25
"""A step of one in x or y moves the square by so much of the image's side."""

LEAST, MOST = 0.2, 0.5
"""Bounds of the square's side, relative to the image's: what is larger is no object, and a slot
that could draw anything anywhere would."""


def place_of(state: Tensor, image_size: int) -> tuple[Tensor, Tensor]:
    """Return centre [..., 2] (x, y) and side [...] of the square of states [..., N], px."""
    centre = image_size * (0.5 + REACH * state[..., :2])
    growth = math.log(MOST / LEAST) * state[..., 2].sigmoid()
    return centre, LEAST * image_size * growth.exp()


def drawn_at(state: Tensor, texels: int, image_size: int) -> Tensor:
    """Return [2, S, H]: where columns and rows of pixels lie among those of E texels; x, y."""
    centre, side = place_of(state, image_size)
    pixel = torch.arange(image_size, dtype=state.dtype, device=state.device) + 0.5
    scale = (texels / side)[:, None]
    return (pixel - centre.T[:, :, None]) * scale + (texels / 2.0 - 0.5)


def seen_at(state: Tensor, texels: int, image_size: int) -> Tensor:
    """Return [2, S, E]: where columns and rows of texels lie among those of pixels; x, y."""
    centre, side = place_of(state, image_size)
    texel = (torch.arange(texels, dtype=state.dtype, device=state.device) + 0.5) / texels - 0.5
    return centre.T[:, :, None] + side[:, None] * texel - 0.5


def hat(distance: Tensor) -> Tensor:
    """Return how much a row counts to a value at that distance from it: linear interpolation."""
    return (1.0 - distance.abs()).clamp(min=0.0)


def weights(at: Tensor, count: int) -> Tensor:
    """Return [..., count]: how much each of 0, 1, ... count - 1 counts to values at [...]."""
    return hat(at[..., None] - torch.arange(count, dtype=at.dtype, device=at.device))


def drawing(state: Tensor, texels: int, image_size: int) -> tuple[Tensor, Tensor]:
    """
    Return [S, H, E] and [S, W, E]: how much of each row and column of E texels a pixel shows.

    state: [S, N]. Pixels outside of the square show none.
    """
    columns, rows = weights(drawn_at(state, texels, image_size), texels)
    return rows, columns


def looking(state: Tensor, texels: int, image_size: int) -> tuple[Tensor, Tensor]:
    """
    Return [S, E, H] and [S, E, W]: how much of each row and column of pixels a texel sees.

    state: [S, N]. Texels outside of the image see nothing.
    """
    columns, rows = weights(seen_at(state, texels, image_size), image_size)
    return rows, columns


def spread(size: int, image_size: int) -> Tensor:
    """Return [H, E]: linear interpolation from a coarse grid of E points, edges included."""
    at = torch.linspace(0.0, size - 1.0, image_size)
    return weights(at, size)


def state_at(centre: Tensor, side: Tensor, image_size: int) -> Tensor:
    """
    Return [..., 3], the place in a state of a square: centre [..., 2] px, side [...] px.

    Sides beyond the bounds are brought within them.
    """
    growth = (side / (LEAST * image_size)).log() / math.log(MOST / LEAST)
    size = growth.clamp(0.02, 0.98).logit()
    return torch.cat([(centre / image_size - 0.5) / REACH, size[..., None]], -1)


def pushed(latent_size: int, image_size: int) -> Tensor:
    """Return [N, 2], the D (eq. 5) of squares that move as their objects do."""
    D = torch.zeros(latent_size, 2)
    D[:2] = torch.eye(2) / (REACH * image_size)
    return D
