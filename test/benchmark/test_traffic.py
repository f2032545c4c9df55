# SPDX-License-Identifier: Apache-2.0
from obai_ros.benchmark.traffic import count_traffic
from obai_ros.model.config import ModelConfig
from obai_ros.model.inference import Schedule


def test_the_smoke_preset_moves_what_its_layers_add_up_to():
    config = ModelConfig.named('smoke')
    found = count_traffic(config)
    cells, pixels, c = 8 * 8, 32 * 32, 8
    # state, position, mix, two layers, and 4 numbers for each pixel
    taken = 8 + 2 * cells + 4 * c * cells
    given = c + 4 * c * cells + 4 * pixels
    refiner = 16 * pixels + c * cells + c * cells + c * 16 + c * 16 + 16 * 4 + 64 + 16 + 16 + 32
    assert found.activations == 2 * taken + 3 * given + refiner + 27 * pixels
    three = Schedule(iterations=3, window=2)
    assert found.per_frame(config, three, batch=5, itemsize=2) == \
        2 * 3 * (5 * 2 * 4 * found.activations + found.weights)
