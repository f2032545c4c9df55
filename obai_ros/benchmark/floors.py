# SPDX-License-Identifier: Apache-2.0
"""The least time that a frame can take on this machine: by its operations, and by its bytes."""
from __future__ import annotations

from obai_ros.benchmark.case import Case
from obai_ros.benchmark.ceiling import measure_ceiling
from obai_ros.benchmark.operations import count_operations
from obai_ros.benchmark.traffic import count_traffic


def floors(case: Case) -> dict:
    """
    Return a frame's operations and bytes, what the machine can do, and both floors in ms.

    For all cameras of the case together, with the window full and no second look.
    """
    config, ceiling = case.config, measure_ceiling(case)
    operations = case.batch * count_operations(config).per_frame(config, case.schedule)
    moved = count_traffic(config).per_frame(config, case.schedule, case.batch,
                                            2 if case.precision == 'bfloat16' else 4)
    return {'operations': operations, 'operations_ms': operations / ceiling['gflops'] / 1e6,
            'bytes': moved, 'bytes_ms': moved / ceiling['copy_gb_s'] / 1e6, 'ceiling': ceiling}
