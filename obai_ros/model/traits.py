# SPDX-License-Identifier: Apache-2.0
"""
Traits: what a slot's object looks like, wherever it is and however it is turned.

Read off the image under the posterior of the assignments (eq. 1-4), which knows outlines to the
pixel where colours differ, long before a decoder draws them sharply. Outlines are told by complex
moments c_pq = sum (x + iy)^p (x - iy)^q about the middle: turning a shape changes their phase
only, and divided by the right power of the mass they do not know its size (J. Flusser, "On the
independence of rotation moment invariants", Pattern Recognition 33, 2000). Their logarithms are
spread evenly, where of the moments themselves a few of torn outlines would dwarf all others.
"""
from __future__ import annotations

import torch
from torch import Tensor

OUTLINE = ((1, 1), (2, 0), (2, 1), (3, 0), (2, 2), (4, 0), (3, 1))
"""(p, q) of the moments that tell outlines apart."""

POWERS = max(p + q for p, q in OUTLINE) + 1
"""Powers of x and of y in them: 0, 1, ..."""

TRAITS = 4 + len(OUTLINE)
"""A: red, green, blue in [0, 1]; size, root of the mass, px; log of the absolute moments."""

LEAST_MOMENT = 1e-4
"""No moment is said to be smaller: what is symmetric would have a logarithm of -inf."""


def traits(assignment: Tensor, image: Tensor, mass: Tensor, centroid: Tensor) -> Tensor:
    """
    Return [B, K, A]: colour, size and outline of what each slot shows.

    assignment: [B, K, H, W], share of each slot in each pixel. image: [B, 3, H, W] in [0, 1].
    mass: [B, K] px and centroid: [B, K, 2] px of the assignment, see `percept.moments`.
    """
    height, width = assignment.shape[-2:]
    safe = mass.clamp(min=1.0)
    share = assignment / safe[..., None, None]
    colour = share.flatten(2) @ image.flatten(2).mT
    scale = safe.sqrt()[..., None]

    def axis(size: int, middle: Tensor) -> Tensor:
        at = torch.arange(size, dtype=mass.dtype, device=mass.device) + 0.5
        return (at - middle[..., None]) / scale

    # Moments are sums over rows and columns, one after the other: c_pq in monomials x^m y^n.
    power = torch.arange(POWERS, dtype=mass.dtype, device=mass.device)
    rows = axis(width, centroid[..., 0])[..., None] ** power              # [B, K, W, P]
    columns = axis(height, centroid[..., 1])[..., None] ** power          # [B, K, H, P]
    monomials = columns.mT @ share @ rows                                 # [B, K, n, m]
    weight = _EXPANSION.to(mass)
    real, imaginary = (monomials.flatten(-2) @ weight).chunk(2, -1)       # [B, K, J]
    outline = (real.square() + imaginary.square()).sqrt().clamp(min=LEAST_MOMENT).log()
    return torch.cat([colour, scale, outline], -1)


def _expand(p: int, q: int, size: int) -> list[list[complex]]:
    """Return the coefficients [n, m] of y^n x^m in (x + iy)^p (x - iy)^q."""
    terms = {(0, 0): 1 + 0j}
    for sign in [1j] * p + [-1j] * q:
        grown: dict[tuple[int, int], complex] = {}
        for (n, m), value in terms.items():
            grown[n, m + 1] = grown.get((n, m + 1), 0) + value
            grown[n + 1, m] = grown.get((n + 1, m), 0) + sign * value
        terms = grown
    return [[terms.get((n, m), 0j) for m in range(size)] for n in range(size)]


def _expansion() -> Tensor:
    """Return [n m, 2 J]: real and then imaginary coefficients of all moments of OUTLINE."""
    each = torch.tensor([_expand(p, q, POWERS) for p, q in OUTLINE], dtype=torch.complex64)
    return torch.cat([each.real, each.imag]).flatten(1).mT.contiguous()


_EXPANSION = _expansion()
