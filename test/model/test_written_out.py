# SPDX-License-Identifier: Apache-2.0
"""Parts of the refinement that is written out, each against what autograd has of its original."""
import pytest
import torch

from obai_ros.model.engines.decoding import Decoding
from obai_ros.model.engines.interpolation import (between, distances, neighbours,
                                                  place_gradient, slope)
from obai_ros.model.engines.looking import OWN, Looking
from obai_ros.model.glimpse import PLACE, drawn_at, hat, weights

PLACES = [-1e9, -1.5, -1.0, -0.25, 0.0, 0.3, 1.0, 3.99, 4.0, 4.5, 5.0, 1e9]
"""Places among five rows: between them, on them, at the edge, and outside."""


@pytest.fixture
def states(make_model, glimpses):
    """Return (model, states [S, N]) whose squares are anywhere, small and large."""
    model = make_model(**glimpses.to_dict())
    state = torch.randn(6, glimpses.latent_size, dtype=torch.float64)
    state[:, 2] = torch.tensor([-50.0, -3.0, -1.0, 0.5, 2.0, 50.0])
    state[2, :2] = torch.tensor([40.0, -40.0])
    return model, state


@pytest.mark.parametrize('compiling', [False, True])
def test_between_takes_of_rows_what_they_weigh(compiling, monkeypatch):
    monkeypatch.setattr(torch.compiler, 'is_compiling', lambda: compiling)
    at = torch.tensor([PLACES, PLACES[::-1]], dtype=torch.float64)
    table = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    expected = (weights(at, 5) @ table.flatten(2)).unflatten(-1, (3, 4))
    found = between(weights(at, 5), table, neighbours(at, 5))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(hat(distances(at, 5)), weights(at, 5).mT)
    assert expected[0, 0].count_nonzero() == 0 and expected[0, 4].count_nonzero() == 12
    # Consecutive slots share a table.
    shared = between(weights(at, 5), table[:1], neighbours(at, 5))
    torch.testing.assert_close(shared[0], expected[0])
    torch.testing.assert_close(shared[1], expected[0].flip(0))


def test_neighbours_are_rows_that_are_there():
    at = torch.tensor([*PLACES, float('nan'), float('inf'), -float('inf')])
    rows = neighbours(at, 5)
    assert rows.min() == 0 and rows.max() == 4 and (rows[:, 1] - rows[:, 0] == 1).all()


def test_the_slope_is_that_of_autograd_at_the_kinks_too():
    distance = torch.tensor([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5], requires_grad=True)
    expected, = torch.autograd.grad(hat(distance).sum(), distance)
    assert torch.equal(slope(distance.detach()), expected)
    assert expected.tolist() == [0, 1, 1, 0, -1, -1, 0]


def test_place_and_size_are_pulled_as_autograd_says(states):
    model, state = states
    texels, size = model.config.texels, model.config.image_size
    leaf = state.clone().requires_grad_()
    at = drawn_at(leaf, texels, size)
    pull = torch.randn_like(at)
    expected, = torch.autograd.grad(at, leaf, pull)
    found = place_gradient(pull, at.detach(), state, texels, size)
    torch.testing.assert_close(found, expected[:, :PLACE])
    # Sizes at their bounds do not move any more.
    assert (found[:, 2].abs() > 1e-9).tolist() == [False, True, True, True, True, False]


def test_it_draws_as_the_decoder_and_pulls_back_as_autograd(states):
    model, state = states
    leaf, size = state.clone().requires_grad_(), model.config.image_size
    expected = model.decoder(leaf)
    with torch.no_grad():
        decoding = Decoding(model.decoder, torch.float64)
        found, trace = decoding(state)
        torch.testing.assert_close(found.transpose(1, 2).flatten(2), expected)
        down = torch.randn_like(expected)
        back = decoding.pull_back(down.unflatten(-1, (size, size)).transpose(1, 2), trace)
    gradient, = torch.autograd.grad(expected, leaf, down)
    torch.testing.assert_close(back, gradient, rtol=1e-9, atol=1e-9)
    assert (gradient[1:5, :PLACE] != 0).any(-1).sum() >= 3


@torch.no_grad()
def test_it_looks_as_the_trunk_does(states):
    model, state = states
    size, slots = model.config.image_size, 3
    inputs = torch.randn(len(state), 16, size, size, dtype=torch.float64)
    # The slots of an image share all that is not their own.
    shared = inputs[::slots].repeat_interleave(slots, 0)
    shared[:, OWN] = inputs[:, OWN]
    shared[:, 14:] = model.xy.view(2, size, size)
    rows = shared.transpose(1, 2)
    looking = Looking(model.refiner.trunk, model.xy, torch.float64)
    found = looking(rows[:, :, OWN], rows[::slots, :, 13:14], rows[::slots, :, :3], state)
    expected = model.refiner.trunk(shared.flatten(2), state)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(expected, model.refiner.trunk(inputs.flatten(2), state))
