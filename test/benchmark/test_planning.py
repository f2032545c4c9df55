# SPDX-License-Identifier: Apache-2.0
from obai_ros.benchmark.planning import time_planning


def test_a_plan_takes_milliseconds():
    """On an idle core it is to be 2 ms; how busy this one is with other tests nobody knows."""
    found = time_planning(slots=4, latent_size=16, plans=60)
    assert set(found) == {'answer', 'aims', 'plan', 'place'}
    for ms in found.values():
        assert 0 < ms['p50'] <= ms['p99']
    assert max(found[part]['p50'] for part in ('aims', 'plan', 'place')) < found['answer']['p99']
    assert found['answer']['p50'] < 50
