# SPDX-License-Identifier: Apache-2.0
"""Grounds unlike those of the simulator, with the bundled weights."""
import pytest
import torch

from obai_ros.model.checkpoint import default_checkpoint, load_checkpoint
from obai_ros.model.engines.choice import direct_engine
from obai_ros.model.filter import Filter


@pytest.mark.parametrize('ground', [30, 220, 'shaded', 'noisy'])
def test_a_ground_that_was_never_learned_has_no_objects(ground):
    """Spare slots help to paint it, three of them where it is shaded."""
    bundled = load_checkpoint(default_checkpoint())
    image = torch.full((1, 3, 64, 64), 0.45)
    if ground == 'shaded':
        image = torch.linspace(0.3, 0.5, 64).expand(1, 3, 64, 64).clone()
    elif ground == 'noisy':
        image += 0.02 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    else:
        image[:] = ground / 255
    red = image.clone()
    red[:, :, 20:32, 40:52] = torch.tensor([0.9, 0.2, 0.1])[:, None, None]
    for shown, objects in ((image, 0), (red, 1)):
        stream = Filter(bundled.model, bundled.schedule.careful(), direct_engine(bundled.model))
        state = stream.start(1)
        for _ in range(3):
            state, percept = stream.step(state, shown)
        found = ~percept.empty[0]
        found[percept.background[0]] = False
        assert found.sum() == objects
