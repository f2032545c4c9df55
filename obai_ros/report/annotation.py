# SPDX-License-Identifier: Apache-2.0
"""What is written and drawn onto pictures, so that they can be read by themselves."""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from obai_ros.model.pixels import to_image, to_picture

HEIGHT = 18
"""Of a line of column heads, px."""


def with_heads(picture: Tensor, heads: Sequence[str]) -> Tensor:
    """
    Return a picture [3, h, w] below a line with the heads of its columns, [3, HEIGHT + h, w].

    The columns are equally wide. What is wider than its column is written smaller.
    """
    width = picture.shape[2]
    line = np.full((HEIGHT, width, 3), 255, np.uint8)
    column = width / len(heads)
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.4
    for number, head in enumerate(heads):
        (wide, _), _ = cv2.getTextSize(head, font, scale, 1)
        fitting = min(scale, scale * (column - 4) / max(wide, 1))
        (wide, _), _ = cv2.getTextSize(head, font, fitting, 1)
        left = round((number + 0.5) * column - wide / 2)
        cv2.putText(line, head, (left, HEIGHT - 6), font, fitting, (40, 40, 40), 1, cv2.LINE_AA)
    return torch.cat([to_image(line, picture.device), picture], 1)


def with_cross(picture: Tensor, x: float, y: float, arm: int = 10) -> Tensor:
    """Return a picture [3, h, w] with a cross at a point, px: white, black around it."""
    drawn = np.ascontiguousarray(to_picture(picture))
    place = round(x), round(y)
    size = 2 * arm
    cv2.drawMarker(drawn, place, (0, 0, 0), cv2.MARKER_CROSS, size + 2, 3)
    cv2.drawMarker(drawn, place, (255, 255, 255), cv2.MARKER_CROSS, size, 1)
    return to_image(drawn, picture.device)
