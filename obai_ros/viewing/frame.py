# SPDX-License-Identifier: Apache-2.0
"""What the page shows of one frame, as JSON has it."""
from __future__ import annotations

import base64
import math
from dataclasses import dataclass

import cv2
import numpy as np

from obai_ros.camera.fit import Fit
from obai_ros.messages.overlay import slot_colours

WIDEST = 640
"""px; pictures with longer sides are made smaller for the page."""

SMALL = 128
"""px, up to which pictures are sent exactly, as PNG; larger ones are sent as JPEG."""


@dataclass(frozen=True)
class Plan:
    """
    What the planner made of it, of K slots.

    acceleration [K, 2] px/frame^2; wanted [K, 2] px, NaN where there is no goal; feef [K] nats,
    NaN where nothing is planned.
    """

    acceleration: np.ndarray
    wanted: np.ndarray
    feef: np.ndarray


def describe(picture: np.ndarray, beliefs, place: Fit, plan: Plan | None = None,
             pictures: dict[str, np.ndarray] = {}) -> dict:
    """
    Return a frame for the page.

    picture: [H, W, 3] uint8, of the camera, of any size; beliefs: as read by
    obai_ros.messages.beliefs, on the grid that lies in the picture as `place` says; pictures: what
    else is to be shown, by name. Numbers that are none become None. Raises ValueError when plan
    and beliefs are not about as many slots.
    """
    slots = len(beliefs.mass)
    if plan is not None and {len(plan.acceleration), len(plan.wanted), len(plan.feef)} != {slots}:
        raise ValueError(f'the plan is about {len(plan.feef)} slots, the beliefs are about '
                         f'{slots}')
    height, width = picture.shape[:2]
    return {
        'frame': beliefs.frame,
        'image': {'width': width, 'height': height, 'picture': to_url(picture)},
        'place': {name: getattr(place, name)
                  for name in ('offset_x', 'offset_y', 'scale_x', 'scale_y')},
        'grid': {'width': beliefs.width, 'height': beliefs.height,
                 'labels': base64.b64encode(np.ascontiguousarray(beliefs.labels)).decode()},
        'pictures': {name: to_url(each) for name, each in pictures.items()},
        'free_energy': _number(beliefs.free_energy), 'iterations': beliefs.iterations,
        'planned': plan is not None,
        'slots': [_slot(beliefs, plan, slot, colour)
                  for slot, colour in enumerate(slot_colours(slots).tolist())],
    }


def to_url(picture: np.ndarray) -> str:
    """Return a picture [H, W, 3] uint8 RGB as an address that a browser shows."""
    height, width = picture.shape[:2]
    shrink = WIDEST / max(height, width)
    if shrink < 1:
        size = max(1, round(shrink * width)), max(1, round(shrink * height))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    kind = 'png' if max(height, width) <= SMALL else 'jpeg'
    _, coded = cv2.imencode(f'.{kind}', np.ascontiguousarray(picture[..., ::-1]))
    return f'data:image/{kind};base64,{base64.b64encode(coded).decode()}'


def _slot(beliefs, plan, slot, colour):
    """Describe a slot; the pixel at which it can be pushed shows it for certain."""
    shown = {
        'colour': f'rgb({", ".join(map(str, colour))})',
        'kind': ('background' if slot == beliefs.background else
                 'empty' if beliefs.empty[slot] else 'object'),
        'x': _number(beliefs.centroid[slot, 0]), 'y': _number(beliefs.centroid[slot, 1]),
        'contact': [int(beliefs.contact_col[slot]), int(beliefs.contact_row[slot])],
        'mass': _number(beliefs.mass[slot]),
        'free_energy': _number(beliefs.slot_free_energy[slot]),
        'entropy': _number(beliefs.entropy[slot]),
    }
    if plan is not None:
        wanted = [_number(value) for value in plan.wanted[slot]]
        shown.update(push=[_number(value) for value in plan.acceleration[slot]],
                     wanted=None if None in wanted else wanted, feef=_number(plan.feef[slot]))
    return shown


def _number(value) -> float | None:
    """Return a number that JSON has, rounded to what single precision holds."""
    return float(f'{value:.7g}') if math.isfinite(value) else None
