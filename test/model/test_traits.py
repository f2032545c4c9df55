# SPDX-License-Identifier: Apache-2.0
"""What slots look like: neither place nor orientation changes it, and shapes are told by it."""

import math

import pytest
import torch

from obai_ros.environment.rendering import render
from obai_ros.environment.scene import sample_scene, SceneConfig
from obai_ros.messages import beliefs
from obai_ros.model.belief import Belief
from obai_ros.model.noise import Noise
from obai_ros.model.percept import moments, perceive
from obai_ros.model.traits import OUTLINE, traits, TRAITS


def seen(mask, image=None):
    image = torch.zeros(len(mask), 3, *mask.shape[-2:]) if image is None else image
    return traits(mask, image, *moments(mask))


def ellipse(angle=0.0, x=32.0, y=32.0, long=20.0, short=10.0):
    """Return [1, 1, 64, 64]: an ellipse with smooth edges, semi-axes in px."""
    at = torch.arange(64) + 0.5
    row, col = torch.meshgrid(at - y, at - x, indexing='ij')
    u = (col * math.cos(angle) + row * math.sin(angle)) / long
    v = (row * math.cos(angle) - col * math.sin(angle)) / short
    return torch.sigmoid(20 * (1 - (u.square() + v.square()).sqrt()))[None, None]


def test_moments_are_what_their_definition_says():
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(2, 3, 20, 16, generator=generator)
    mass, centre = moments(mask)
    x = (torch.arange(16) + 0.5 - centre[..., :1]) / mass.sqrt()[..., None]
    y = (torch.arange(20) + 0.5 - centre[..., 1:]) / mass.sqrt()[..., None]
    z = torch.complex(x[..., None, :].expand(mask.shape), y[..., None].expand(mask.shape))
    share = mask / mass[..., None, None]
    meant = torch.stack([(share * z ** p * z.conj() ** q).sum((-1, -2)).abs().log()
                         for p, q in OUTLINE], -1)
    found = seen(mask)
    assert found.shape == (2, 3, TRAITS)
    torch.testing.assert_close(found[..., 4:], meant, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize('changed', [dict(angle=0.7), dict(x=28.3, y=35.1),
                                     dict(long=16.0, short=8.0)])
def test_neither_place_nor_orientation_nor_size_changes_an_outline(changed):
    def outline(**how):
        return seen(ellipse(**how))[0, 0, 4:].exp()

    torch.testing.assert_close(outline(**changed), outline(), atol=2e-3, rtol=0.03)
    assert (outline(short=16.0) - outline()).abs().max() > 0.02


def test_colour_and_size_are_those_of_what_is_seen():
    mask = torch.zeros(1, 2, 32, 32)
    mask[0, 0, 4:14, 6:16] = 1.0
    mask[0, 1] = 1 - mask[0, 0]
    image = torch.tensor([0.2, 0.4, 0.9]).view(1, 3, 1, 1) * mask[:, :1] + 0.5 * mask[:, 1:]
    found = seen(mask, image)[0]
    torch.testing.assert_close(found[0, :4], torch.tensor([0.2, 0.4, 0.9, 10.0]))
    torch.testing.assert_close(found[1, :3], torch.full((3,), 0.5))
    assert torch.isfinite(seen(torch.zeros(1, 1, 32, 32))).all()  # a slot that shows nothing


def test_shapes_of_the_simulator_have_outlines_of_their_own():
    config = SceneConfig(num_objects=1, position_range=(0.3, 0.7), palette=(0, 255))
    scene = sample_scene(config, 600, torch.Generator().manual_seed(0))
    _, labels = render(scene, config)
    outline = seen((labels > 0)[:, None].float())[:, 0, 4:]
    outline, shape = outline / outline.std(0), scene.shape[:, 0]
    nearest = torch.cdist(outline[300:], outline[:300]).argmin(1)
    assert (shape[:300][nearest] == shape[300:]).float().mean() > 0.98


def test_a_message_has_room_for_all_of_them():
    assert beliefs.TRAITS == TRAITS


def test_pixels_are_assigned_by_what_they_look_like(make_model, make_clip):
    """Eq. 1-4: a pixel's slot is known by the masks, and by how well slots explain the pixel."""
    model, (images, _) = make_model(), make_clip()
    batch, slots, size = 2, model.config.num_slots, model.config.latent_size
    noise = Noise.seeded(range(batch), 'cpu')
    mean = noise.normal(batch, slots, size, dtype=model.dtype)
    belief = Belief(mean, mean, mean, mean)
    percept = perceive(model, belief, images[:, 0])
    error = (images[:, 0, None] - percept.appearance).square().sum(2)
    joint = percept.masks * (-0.5 * error / model.config.sigma_o ** 2).exp()
    torch.testing.assert_close(percept.assignment, joint / joint.sum(1, keepdim=True))
    unseen = perceive(model, belief)
    assert unseen.assignment is unseen.masks
    torch.testing.assert_close(unseen.masks, percept.masks)
