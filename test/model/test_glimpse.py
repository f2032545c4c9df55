# SPDX-License-Identifier: Apache-2.0
"""Glimpses: what is drawn in a square moves and grows with it, and is seen where it is."""
import pytest
import torch

from obai_ros.model.glimpse import LEAST, MOST, looking, place_of, pushed, state_at
from obai_ros.model.pixels import as_image

SIZE = 64


@pytest.fixture
def drawn(make_model):
    """Return a function from a place (centre, side) to what a decoder's squares draw there."""
    decoder = make_model(image_size=SIZE).decoder
    with torch.no_grad():
        decoder.rough.weight.zero_()
        decoder.rough.bias.zero_()
    rest = torch.randn(5, dtype=torch.float64)

    def draw(centre, side):
        place = state_at(torch.tensor(centre, dtype=torch.float64),
                         torch.tensor(side, dtype=torch.float64), SIZE)
        return as_image(decoder(torch.cat([place, rest])[None]).detach())[0]
    return draw


def test_a_state_at_a_place_is_there():
    centre, side = torch.tensor([[10.0, 50.0], [32.0, -3.0]]), torch.tensor([15.0, 30.0])
    found = place_of(state_at(centre, side, SIZE), SIZE)
    torch.testing.assert_close(found[0], centre)
    torch.testing.assert_close(found[1], side)
    wild = torch.tensor([[0.0, 0.0, -50.0], [0.0, 0.0, 50.0]])
    assert place_of(wild, SIZE)[1].tolist() == pytest.approx([LEAST * SIZE, MOST * SIZE])


def test_what_is_drawn_moves_with_its_square(drawn):
    here, there = drawn((24.0, 30.0), 20.0), drawn((29.0, 27.0), 20.0)
    torch.testing.assert_close(there, here.roll((-3, 5), (-2, -1)))
    assert here.abs().amax() > 0.01
    assert not here[:, :19].any() and not here[:, 41:].any() and not here[:, :, :13].any()


def test_it_moves_by_fractions_of_a_pixel(drawn):
    """Over a pixel's length what is drawn at a pixel changes into what was beside it, evenly."""
    start = drawn((24.0, 30.0), 30.0)
    quarter = drawn((24.25, 30.0), 30.0)
    end = drawn((25.0, 30.0), 30.0)
    assert 0 < float((quarter - start).norm()) < 0.6 * float((end - start).norm())


def test_what_is_drawn_grows_with_its_square(drawn):
    """Around a pixel's middle, every other pixel of one twice as large is one of the smaller."""
    small, large = drawn((32.5, 32.5), 15.0), drawn((32.5, 32.5), 30.0)
    torch.testing.assert_close(large[:, 16:49:2, 16:49:2], small[:, 24:41, 24:41])
    assert not small[:, :23].any() and large[:, 19].any() and not large[:, :15].any()


def test_texels_see_the_pixels_of_their_square():
    image = torch.zeros(SIZE, SIZE, dtype=torch.float64)
    image[24:32, 44:52] = 1.0
    state = state_at(torch.tensor([[48.0, 28.0]], dtype=torch.float64),
                     torch.tensor([16.0], dtype=torch.float64), SIZE)
    rows, columns = looking(state, 16, SIZE)
    seen = (rows @ image @ columns.mT)[0]
    # One pixel to a texel; the square of 8 px lies in the middle of that of 16 px.
    expected = torch.zeros(16, 16, dtype=torch.float64)
    expected[4:12, 4:12] = 1.0
    torch.testing.assert_close(seen, expected)


def test_a_square_is_pushed_by_as_many_pixels():
    centre, side = torch.tensor([20.0, 40.0]), torch.tensor(20.0)
    state = torch.cat([state_at(centre, side, SIZE), torch.zeros(5)])
    moved, grown = place_of(state + pushed(8, SIZE) @ torch.tensor([3.0, -2.0]), SIZE)
    torch.testing.assert_close(moved, centre + torch.tensor([3.0, -2.0]))
    torch.testing.assert_close(grown, side)
