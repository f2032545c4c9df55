# SPDX-License-Identifier: Apache-2.0
"""
Proposals: what to believe about a patch of an image that no slot explains.

Beyond the paper, where all slots begin with the same belief and what becomes of them is settled by
noise. How beliefs go with place, colour and size is known from objects that have been found: a
table, linear, fitted by least squares to what a model itself found in images, without labels.
What it proposes is a rough sketch that refinement corrects.
"""
from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.model.belief import bounded
from obai_ros.model.obai import Obai
from obai_ros.model.percept import Percept

LARGEST = 0.25
"""Share of the image above which a slot is not taken for an object that could be learned from."""

RIDGE = 1e-4
"""Relative to the mean square of features."""

FEWEST = 50
"""Objects from which a table can be learned."""


def features_of(centre: Tensor, mass: Tensor, colour: Tensor, image_size: int) -> Tensor:
    """
    Return [..., 7]: what a table of proposals goes by.

    centre: [..., 2] (x, y) px; mass: [...] px; colour: [..., 3] in [0, 1].
    """
    size = (mass.clamp(min=1.0) / image_size ** 2).log()[..., None]
    return torch.cat([centre / image_size, colour, size, torch.ones_like(size)], -1)


def propose(model: Obai, features: Tensor) -> Tensor:
    """Return lambda [..., 4N] of what has such features, [..., 7]."""
    return bounded(features.to(model.proposal) @ model.proposal)


def can_propose(model: Obai) -> bool:
    """Return whether the model's table was ever fitted."""
    return bool(model.proposal.any())


def fit(percepts: list[Percept]) -> Tensor | None:
    """
    Return a table [7, 4N] from objects that a model has found, None if they are too few.

    percepts: of images that were looked at for the first time, nothing being known of how anything
    moves.
    """
    known, beliefs = [], []
    for percept in percepts:
        pixels = percept.masks.shape[-2] * percept.masks.shape[-1]
        objects = ~percept.empty & (percept.mass < LARGEST * pixels)
        objects.scatter_(1, percept.background[:, None], False)
        seen = features_of(percept.centroid, percept.mass, percept.traits[..., :3],
                           percept.masks.shape[-1])
        known.append(seen[objects])
        beliefs.append(percept.belief.pack()[objects])
    x, y = torch.cat(known).double(), torch.cat(beliefs).double()
    if len(x) < FEWEST:
        return None
    ridge = RIDGE * x.square().mean() * len(x)
    gram = x.mT @ x + ridge * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    return torch.linalg.solve(gram, x.mT @ y).float()
