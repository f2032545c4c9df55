# SPDX-License-Identifier: Apache-2.0
"""Beliefs about what does not change stay what they are, for as long as one looks."""
import pytest
import torch

from obai_ros.model.belief import Belief
from obai_ros.model.checkpoint import default_checkpoint, load_checkpoint
from obai_ros.model.engines.choice import make_engine
from obai_ros.model.fading import BACKGROUND, Fading, LOOKS
from obai_ros.model.filter import Filter


def test_looks_fade_and_places_do_not_but_the_background(make_model):
    model = make_model()
    place = model.dynamics.place_projection()
    assert torch.allclose(place @ model.dynamics.D, model.dynamics.D)
    mean, velocity = torch.randn(2, 2, 4, model.config.latent_size, dtype=model.dtype)
    belief = Belief(mean, velocity, torch.zeros_like(mean), torch.ones_like(mean))
    faded = Fading(model)(belief, torch.tensor([1, 3]))
    for stream, background in enumerate((1, 3)):
        for slot in range(4):
            before, after = mean[stream, slot], faded.mean[stream, slot]
            if slot == background:
                assert torch.allclose(after, BACKGROUND * before)
                assert not faded.velocity[stream, slot].any()
            else:
                assert torch.allclose(after @ place, before @ place)
                looks = before - before @ place
                assert torch.allclose(after - after @ place, LOOKS * looks)
                assert torch.equal(faded.velocity[stream, slot], velocity[stream, slot])
    assert torch.equal(faded.log_sd, belief.log_sd)


@pytest.mark.parametrize('objects', [0, 2])
def test_a_standing_scene_stays_what_it_is(objects):
    """Without fading the background is 14 from its prior after 40 frames, and lost after 120."""
    model = load_checkpoint(default_checkpoint()).model
    schedule = load_checkpoint(default_checkpoint()).schedule.careful()
    image = torch.full((1, 3, 64, 64), 0.5)
    for colour, start in list(zip(((1.0, 0.25, 0.0), (0.0, 0.4, 1.0)), (10, 35)))[:objects]:
        image[:, :, start:start + 15, start:start + 15] = torch.tensor(colour)[:, None, None]
    stream = Filter(model, schedule, make_engine('direct', model, print, print))
    state, energies, seen = stream.start(1), [], []
    for _ in range(50):
        state, percept = stream.step(state, image)
        energies.append(percept.free_energy.sum().item())
        shown = ~percept.empty[0]
        shown[percept.background[0]] = False
        seen.append(int(shown.sum()))
    assert percept.belief.mean[0, percept.background[0]].abs().max() < 5.0
    assert max(energies[20:]) < 0.99 * energies[20]
    assert seen == [objects] * 50
