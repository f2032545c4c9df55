# SPDX-License-Identifier: Apache-2.0
"""Where the grid lies in the image: what cannot be is refused."""

import math
from types import SimpleNamespace

from obai_ros.messages import label_info
import pytest


def told(**changes):
    return SimpleNamespace(**{
        'image_width': 256, 'image_height': 160, 'offset_x': 0., 'offset_y': -48., 'scale_x': 8.,
        'scale_y': 8., **changes})


def test_what_a_letterbox_says_can_be():
    label_info.check(told())


@pytest.mark.parametrize('changes, words', [
    ({'image_height': 0}, 'image_width and image_height are 256 and 0, expected 1 px or more'),
    ({'scale_x': 0.}, 'scale_x is 0, expected 1.52588e-05 .. 256 px'),
    ({'scale_y': math.nan}, 'scale_y is nan, expected'),
    ({'scale_y': 1e300}, r'scale_y is 1e\+300, expected'),
    ({'offset_x': math.inf}, 'offset_x is inf, expected -256 .. 256 px'),
])
def test_what_cannot_be_is_refused_in_a_sentence(changes, words):
    with pytest.raises(label_info.LabelInfoError, match=words):
        label_info.check(told(**changes))
