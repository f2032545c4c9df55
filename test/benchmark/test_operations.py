# SPDX-License-Identifier: Apache-2.0
import pytest

from obai_ros.benchmark.operations import count_operations, format_operations
from obai_ros.benchmark.timing import endless, percentiles
from obai_ros.model.config import ModelConfig
from obai_ros.model.schedule import Schedule


def test_the_paper_decoder_costs_what_its_layers_multiply_out_to():
    layers = [18 * 32, 32 * 32, 32 * 32, 32 * 32, 32 * 4]
    operations = count_operations(ModelConfig.named('paper'))
    assert operations.decode == 2 * 25 * 64 * 64 * sum(layers)
    # 16 -> 30x30x32 -> 13x13x32 -> 5x5x32, linear 800 x 128, LSTM, linear 128 x 64
    convolutions = 25 * 32 * (16 * 30 * 30 + 32 * 13 * 13 + 32 * 5 * 5)
    assert operations.refine == 2 * (convolutions + 800 * 128 + 4 * 128 * (256 + 128) + 128 * 64)


def test_the_fast_preset_needs_a_tenth_of_the_paper_at_most():
    paper, fast = (count_operations(ModelConfig.named(name)) for name in ('paper', 'fast'))
    assert paper.iteration > 10 * fast.iteration
    assert paper.decode > 10 * fast.decode
    assert fast.per_frame(ModelConfig.named('fast'), Schedule(4, None, 2)) == 32 * fast.iteration
    table = format_operations(['paper', 'fast']).splitlines()
    assert len(table) == 3 and '1.0x' in table[1]


def test_percentiles_are_in_milliseconds():
    assert percentiles([0.001 * n for n in range(1, 102)])['p50'] == pytest.approx(51.0)


def test_memory_stays_flat_on_a_stream():
    report = endless(ModelConfig.named('smoke'), 400)
    assert report['resident_mb_end'] < 1.05 * report['resident_mb_early']
