# SPDX-License-Identifier: Apache-2.0
"""One message per trouble and period; all are counted."""
from obai_ros.nodes.complaints import Complaints


def test_repeats_are_counted_and_summed_up():
    said, now = [], [0.0]
    complaints = Complaints(said.append, period=5.0, clock=lambda: now[0])
    for number in range(3):
        complaints.add('image', f'bad encoding of image {number}')
    complaints.add('image', 'bad size')
    complaints.add('action', 'bad size')
    assert said == ['bad encoding of image 0', 'bad size', 'bad size']
    now[0] = 5.0
    complaints.add('image', 'bad encoding of image 3')
    assert said[3] == 'bad encoding of image 3 (2 more like this since the last message)'
    assert complaints.count('image') == 5
    assert complaints.count() == 6
    assert complaints.count('nothing') == 0
