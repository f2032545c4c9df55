# SPDX-License-Identifier: Apache-2.0
from obai_ros.benchmark.traffic import count_traffic
from obai_ros.model.config import ModelConfig
from obai_ros.model.schedule import Schedule


def test_the_smoke_preset_moves_what_its_layers_add_up_to():
    config = ModelConfig.named('smoke')
    found = count_traffic(config)
    cells, texels, pixels, c = 4 * 4, 16 * 16, 32 * 32, 8
    # state, colours of the rough grid and a logit, cells, two layers, 4 numbers for each texel
    taken = 5 + 2 * 16 + 3 * c * cells
    given = 16 + 49 + 3 * c * cells + 4 * texels
    close = 16 * texels + 4 * c * cells + 2 * c * 4
    rough = 16 * 16 ** 2 + 2 * c * 8 ** 2 + c * 4 ** 2
    refiner = close + rough + 2 * c * 4 + c * 4 ** 2 + 16 + 16 + 32
    assert found.activations == 2 * taken + 3 * given + refiner + 27 * pixels
    three = Schedule(iterations=3, window=2)
    assert found.per_frame(config, three, batch=5, itemsize=2) == \
        2 * 3 * (5 * 2 * 4 * found.activations + found.weights)
