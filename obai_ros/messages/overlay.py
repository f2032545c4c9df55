# SPDX-License-Identifier: Apache-2.0
"""The picture for people: slot colours and outlines, action arrows and goals over the image.

Image axes: x right, y down, in pixels; pixel (row, col) covers [col, col + 1) x [row, row + 1),
so its centre is at (col + 0.5, row + 0.5), as in the environment.
"""
import colorsys
import math

import cv2
import numpy as np

UNLABELLED = 255

# Okabe & Ito (2008): told apart with every common form of colour blindness.
_PALETTE = np.array([
    (230, 159, 0),    # orange
    (86, 180, 233),   # sky blue
    (204, 121, 167),  # reddish purple
    (0, 158, 115),    # bluish green
    (240, 228, 66),   # yellow
    (0, 114, 178),    # blue
    (213, 94, 0),     # vermilion
], dtype=np.uint8)

_TINT = 0.30          # how much of the slot's colour is mixed into its pixels
_DARK = (20, 20, 20)
_LIGHT = (255, 255, 255)
_SAME = 0.5           # px, within which two places are one
_FRACTION_BITS = 4    # cv2 takes sub-pixel coordinates as integers of 1/16


def slot_colours(num_slots):
    """Return the colours of the slots, [num_slots, 3] uint8 RGB.

    Slot k has the same colour in every picture and every tool. The first seven are the palette of
    Okabe and Ito; further ones repeat it, each round darker than the one before.
    """
    if num_slots < 0:
        raise ValueError(f'num_slots is {num_slots}; expected 0 or more')
    colours = np.zeros((num_slots, 3), dtype=np.uint8)
    for slot in range(num_slots):
        hue, light, saturation = colorsys.rgb_to_hls(*(_PALETTE[slot % len(_PALETTE)] / 255.0))
        light *= 0.65 ** (slot // len(_PALETTE))
        colours[slot] = np.round(255 * np.array(colorsys.hls_to_rgb(hue, light, saturation)))
    return colours


def goal_marks(place, goal_x=(), goal_y=()):
    """Return [(x, y, colour)], the places that goals are about, each once; colour: uint8 RGB.

    place: (x, y) px of the goal that was set last, None if it has none. goal_x, goal_y: K numbers
    each, where slots are wanted, px, NaN where they have no goal. A place where one slot alone is
    wanted has the colour of the slot, any other is white.
    """
    wanted = {}  # the slots, by place
    for slot, spot in enumerate(zip(goal_x, goal_y)):
        if all(map(math.isfinite, spot)):
            near = next((other for other in wanted if math.dist(spot, other) < _SAME), spot)
            wanted.setdefault(near, []).append(slot)
    if place is not None and not any(math.dist(place, spot) < _SAME for spot in wanted):
        wanted[tuple(place)] = []
    colours = slot_colours(len(goal_x))
    return [(*spot, tuple(map(int, colours[slots[0]])) if len(slots) == 1 else _LIGHT)
            for spot, slots in wanted.items()]


def draw(image, labels=None, arrows=None, goals=(), scale=4, pen=1.0):
    """Draw what was perceived and what is done about it over an enlarged image.

    image: [H, W, 3] uint8 RGB.
    labels: [H, W] uint8, or None: 0 = background (left as it is), k + 1 = slot k (tinted and
        outlined in its colour), 255 = unlabelled (hatched).
    arrows: (row, col, ax, ay), four sequences of equal length P, or None: accelerations in
        px/frame^2, each drawn from the centre of its pixel and as long as it is in pixels, which
        is how far it moves the object by the next frame. Zeros are not drawn.
    goals: sequence of (x, y) px, each drawn as a cross in a ring, white, or (x, y, colour).
    scale: how many pixels of the result each pixel of the image becomes, along each axis; >= 1.
    pen: size of symbols and lines, in pixels of the image: 1 where the image is the model's own,
        more on an image that is finer than the grid on which the model sees.

    Returns [H * scale, W * scale, 3] uint8 RGB. The arguments are left untouched.
    Raises ValueError when the shapes or types do not fit.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'the image is {image.dtype} {list(image.shape)}; '
                         'expected uint8 [height, width, 3]')
    if int(scale) != scale or scale < 1:
        raise ValueError(f'scale is {scale}; expected a whole number of at least 1')
    scale = int(scale)
    pen = max(1, round(scale * pen))
    canvas = image.repeat(scale, axis=0).repeat(scale, axis=1)
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != image.shape[:2] or labels.dtype != np.uint8:
            raise ValueError(f'the labels are {labels.dtype} {list(labels.shape)}; '
                             f'expected uint8 {list(image.shape[:2])} like the image')
        _draw_slots(canvas, labels, scale, pen)
    for x, y, *colour in goals:
        _draw_goal(canvas, x, y, *colour or [_LIGHT], scale, pen)
    if arrows is not None:
        row, col, ax, ay = (np.asarray(part, dtype=np.float64).reshape(-1) for part in arrows)
        if not len(row) == len(col) == len(ax) == len(ay):
            raise ValueError(f'arrows have {len(row)} rows, {len(col)} columns, {len(ax)} ax and '
                             f'{len(ay)} ay; expected as many of each')
        for arrow in zip(row, col, ax, ay):
            _draw_arrow(canvas, *arrow, scale, pen)
    return canvas


def _draw_slots(canvas, labels, scale, pen):
    """Tint and outline the slots, hatch what is unlabelled, in place."""
    large = labels.repeat(scale, axis=0).repeat(scale, axis=1)
    width = max(1, pen // 2)
    for label in np.unique(labels):
        if label == 0:
            continue
        inside = (large == label).astype(np.uint8)
        if label == UNLABELLED:
            rows, cols = np.indices(large.shape)
            hatch = (inside > 0) & ((rows + cols) % (3 * pen) < width)
            canvas[hatch] = canvas[hatch] // 2 + 64
            continue
        colour = slot_colours(label)[label - 1]
        tinted = (1 - _TINT) * canvas[inside > 0] + _TINT * colour.astype(np.float64)
        canvas[inside > 0] = np.round(tinted).astype(np.uint8)
        # The outline lies inside the slot, so that those of two neighbours do not hide each other.
        # A darker line within it keeps it visible on an object of the same colour.
        kernel = np.ones((3, 3), np.uint8)
        core = cv2.erode(inside, kernel, iterations=width, borderValue=0)
        dark = cv2.erode(core, kernel, iterations=max(1, width // 2), borderValue=0)
        canvas[(core > 0) & (dark == 0)] = colour // 4
        canvas[(inside > 0) & (core == 0)] = colour


def _draw_goal(canvas, x, y, colour, scale, pen):
    """Draw a cross in a ring at (x, y) px, in place."""
    centre = scale * np.array([x, y], dtype=np.float64)
    if not np.abs(centre).max() < 16 * max(canvas.shape):  # cv2 would wrap around; also NaN
        return
    radius, reach = 2.0 * pen, 3.5 * pen
    for colour, thickness in _strokes(pen, colour):
        cv2.circle(canvas, _point(centre), _length(radius), colour, thickness, cv2.LINE_AA,
                   _FRACTION_BITS)
        for direction in np.array([(1, 0), (-1, 0), (0, 1), (0, -1)]):
            cv2.line(canvas, _point(centre + 0.45 * radius * direction),
                     _point(centre + reach * direction), colour, thickness, cv2.LINE_AA,
                     _FRACTION_BITS)


def _draw_arrow(canvas, row, col, ax, ay, scale, pen):
    """Draw one acceleration from the centre of its pixel, in place."""
    length = float(np.hypot(ax, ay)) * scale
    # Too short to be seen, or so long that cv2's coordinates would wrap around (or NaN).
    if not 0.25 * pen <= length < 16 * max(canvas.shape):
        return
    start = scale * np.array([col + 0.5, row + 0.5])
    along = np.array([ax, ay]) * (scale / length)  # of length 1
    across = np.array([-along[1], along[0]])
    head = min(1.8 * pen, 0.6 * length + 0.4 * pen)
    tip = start + along * max(length, head)
    neck = tip - along * head
    corners = [tip, neck + 0.55 * head * across, neck - 0.55 * head * across]
    triangle = np.array([_point(corner) for corner in corners], dtype=np.int32)
    rim = 1 + pen / 6
    for (colour, thickness), grow in zip(_strokes(pen), (rim, 0.0)):
        cv2.line(canvas, _point(start), _point(neck), colour, thickness, cv2.LINE_AA,
                 _FRACTION_BITS)
        cv2.circle(canvas, _point(start), _length(0.4 * pen + grow), colour, -1, cv2.LINE_AA,
                   _FRACTION_BITS)
        if grow:
            cv2.polylines(canvas, [triangle], True, colour, round(2 * grow), cv2.LINE_AA,
                          _FRACTION_BITS)
        cv2.fillPoly(canvas, [triangle], colour, cv2.LINE_AA, _FRACTION_BITS)


def _strokes(pen, colour=_LIGHT):
    """Return (colour, thickness) of the dark rim and of the line drawn over it."""
    return (_DARK, 3 + pen // 3), (colour, 1 + pen // 4)


def _point(point):
    """Return a point of the canvas as cv2's fixed-point integers (its pixel centres are whole)."""
    x, y = np.round((np.asarray(point) - 0.5) * 2 ** _FRACTION_BITS)
    return int(x), int(y)


def _length(length):
    """Return a length as cv2's fixed-point integer."""
    return round(length * 2 ** _FRACTION_BITS)
