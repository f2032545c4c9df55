# SPDX-License-Identifier: Apache-2.0
from obai_ros.benchmark.planning import time_planning


def test_a_plan_takes_milliseconds():
    """The bound is 2 ms on an idle core; this one may be shared with other tests."""
    found = time_planning(slots=4, latent_size=16, plans=60)
    assert 0 < found['p50'] <= found['p99']
    assert found['p50'] < 10
