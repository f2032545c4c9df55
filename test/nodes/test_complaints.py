# SPDX-License-Identifier: Apache-2.0
"""One message per trouble and period; all are counted."""
from obai_ros.nodes.complaints import Complaints


def test_repeats_are_counted_and_summed_up():
    said, now = [], [0.0]
    complaints = Complaints(said.append, period=5.0, clock=lambda: now[0])
    for _ in range(3):
        complaints.add('encoding', 'bad encoding')
    complaints.add('size', 'bad size')
    assert said == ['bad encoding', 'bad size']
    now[0] = 5.0
    complaints.add('encoding', 'bad encoding')
    assert said[2] == 'bad encoding (2 more like this since the last message)'
    assert complaints.count('encoding') == 4
    assert complaints.count() == 5
    assert complaints.count('nothing') == 0
