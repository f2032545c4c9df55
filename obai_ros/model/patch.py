# SPDX-License-Identifier: Apache-2.0
"""Patches: parts of an image in another colour than what they are said to belong to."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

NOTABLE = 0.4
"""Nats: a pixel that costs less fits in with its slot's colour, or nearly, as noise has it."""

MOST = 4.0
"""Nats that a pixel counts at most when the place that needs explaining most is sought."""

ALIKE, STEP = 8.0, 0.7
"""Nats: what pixels of a patch differ from its first by, at most, and from the next. Light falls
off along an object; where another begins colours change all at once."""

BLUR = 5
"""px: side of the square in which patches are sought; specks are smaller."""


@dataclass(frozen=True)
class Patch:
    """
    centre (x, y) px; mass px; colour [3] in [0, 1]; cost: nats to be had by explaining it;
    pixels: its rows and columns.
    """

    centre: np.ndarray
    mass: float
    colour: np.ndarray
    cost: float
    pixels: tuple[np.ndarray, np.ndarray]


def unexplained_patch(image: np.ndarray, owner: np.ndarray, sigma_o: float) -> Patch | None:
    """
    Return the patch of an image that is most in need of an explanation, None if there is none.

    image: [3, H, W] in [0, 1]; owner: [H, W], which slot each pixel is assigned to; sigma_o: of
    pixel noise. A slot is given one colour, that of most of its pixels, so that it does not
    depend on what a decoder can draw, only on who is where. A patch is of one colour too and
    connected.
    """
    precision = 0.5 / sigma_o ** 2
    cost = np.empty(owner.shape, image.dtype)
    for slot in np.unique(owner):
        mine = owner == slot
        colour = np.median(image[:, mine], axis=1, keepdims=True)
        cost[mine] = precision * np.square(image[:, mine] - colour).sum(0)
    notable = cost > NOTABLE
    if not notable.any():
        return None
    needy = ndimage.uniform_filter(np.minimum(cost, MOST), BLUR) * notable
    first = np.unravel_index(needy.argmax(), needy.shape)
    unlike = precision * np.square(image - image[:, first[0], first[1], None, None]).sum(0)
    rows, columns = np.nonzero(_connected(image, notable & (unlike < ALIKE), first, precision))
    return Patch(np.array([columns.mean() + 0.5, rows.mean() + 0.5], image.dtype),
                 float(len(rows)), image[:, rows, columns].mean(1),
                 float(cost[rows, columns].sum()), (rows, columns))


def _connected(image: np.ndarray, able: np.ndarray, first: tuple, precision: float
               ) -> np.ndarray:
    """Return [H, W] bool: the able pixels to which small steps of colour lead from the first."""
    height, width = able.shape
    # Pixels, and between them whether one goes on in the next.
    links = np.zeros((2 * height - 1, 2 * width - 1), bool)
    links[::2, ::2] = able
    for axis, between in ((1, links[1::2, ::2]), (2, links[::2, 1::2])):
        step = precision * np.square(np.diff(image, axis=axis)).sum(0)
        one, other = (able.take(range(start, start + step.shape[axis - 1]), axis - 1)
                      for start in (0, 1))
        between[:] = one & other & (step < STEP)
    pieces = ndimage.label(links)[0][::2, ::2]
    return pieces == pieces[first]
