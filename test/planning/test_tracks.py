# SPDX-License-Identifier: Apache-2.0
"""Objects keep their number, place and velocity whichever slot holds them, or none."""
from dataclasses import replace

import discs
import numpy as np
import pytest
import torch

from obai_ros.model.belief import Belief
from obai_ros.planning.goal import Sight
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.tracks import Tracks

SIDE, LATENT, SLOTS = 64, 6, 4
DYNAMICS = 0.1 * torch.eye(LATENT)[:, :2]
RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def encode(position, colour):
    return torch.cat([position / 10, colour, torch.zeros(len(colour), 1)], 1)


@pytest.fixture(scope='module')
def bank():
    generator = torch.Generator().manual_seed(0)
    count = 2000
    position = SIDE * torch.rand(count, 2, generator=generator)
    colour = torch.randint(5, (count, 3), generator=generator) / 4
    noise = 0.08 * torch.randn(count, LATENT, generator=generator)
    seen = torch.cat([colour, torch.ones(count, 8)], 1)
    return GoalBank(
        position=position, shape=torch.zeros(count, dtype=torch.int64), colour=colour,
        size=torch.full((count,), 10.0), orientation=torch.zeros(count),
        mean=encode(position, colour) + noise, sd=torch.full((count, LATENT), 0.1),
        traits=seen + 0.08 * torch.randn(count, 11, generator=generator),
        model_id='m', image_size=(SIDE, SIDE), shapes=('square',))


@pytest.fixture
def tracks(bank):
    return Tracks(bank, DYNAMICS, SIDE, SIDE)


def sight(shown, wander=0.0, believed={}):
    """
    Show {slot: (x, y, colour[, mass])}; latents tell another velocity, and the place that is
    `believed`, or that of the mask, and `wander` beyond it.
    """
    centre, colour = torch.zeros(SLOTS, 2), torch.zeros(SLOTS, 3)
    mass, objects = torch.zeros(SLOTS), torch.zeros(SLOTS, dtype=torch.bool)
    for slot, (x, y, look, *rest) in shown.items():
        centre[slot], colour[slot] = torch.tensor((x, y)), torch.tensor(look)
        mass[slot], objects[slot] = (rest or [120.0])[0], True
    place = centre + wander
    for slot, where in believed.items():
        place[slot] = torch.tensor(where) + wander
    mean = encode(place, colour)
    velocity = torch.full_like(mean, 0.05)
    sure = torch.full_like(mean, -3.0)
    traits = torch.cat([colour, torch.ones(SLOTS, 8)], 1)
    labels = torch.from_numpy(discs.labels(centre, mass, objects, SIDE))
    return Sight(Belief(mean, velocity, sure, sure), centre, mass, traits, objects, labels)


def number(objects, slot):
    return int(objects.to_slots(objects.number, -1)[slot])


def test_known_pushes_and_the_masks_tell_place_and_velocity(tracks):
    """Of an object that is pushed all the time, by masks that jitter by a pixel."""
    jitter, position, velocity = np.random.default_rng(0), np.array([15.0, 40.0]), np.zeros(2)
    received = None
    for frame in range(16):
        x, y = position + jitter.normal(0, 0.7, 2)
        objects = tracks.follow(sight({2: (x, y, RED)}, wander=0.5 * frame), received)
        error = np.linalg.norm(objects.velocity[2].numpy() - velocity)
        push = jitter.normal(0, 1, 2)
        received = np.zeros((SLOTS, 2), np.float32)
        received[2] = push
        if frame == 15:
            assert np.linalg.norm(objects.place[2].numpy() - position) < 1.0
            assert error < 0.4
        velocity = velocity + push
        position = position + velocity


def test_an_object_is_the_same_in_another_slot(tracks):
    first = tracks.follow(sight({0: (20.0, 20.0, RED), 1: (30.0, 30.0, BLUE)}))
    red, blue = number(first, 0), number(first, 1)
    assert red != blue
    later = tracks.follow(sight({3: (21.0, 21.0, RED), 0: (30.0, 30.0, BLUE)}))
    assert (number(later, 3), number(later, 0), number(later, 1)) == (red, blue, -1)
    assert tracks.object_in(3) == red


def test_a_slot_that_takes_another_object_has_another_number(tracks):
    red = number(tracks.follow(sight({0: (20.0, 20.0, RED)})), 0)
    assert number(tracks.follow(sight({0: (20.0, 20.0, GREEN)})), 0) != red
    assert number(tracks.follow(sight({1: (20.0, 20.0, RED)})), 1) == red


def test_a_hidden_object_goes_on_and_is_known_again(tracks):
    for frame in range(6):
        objects = tracks.follow(sight({0: (10.0 + 3 * frame, 30.0, RED)}))
    red = number(objects, 0)
    for _ in range(4):
        hidden = tracks.follow(sight({1: (50.0, 50.0, BLUE)}))
        assert not hidden.shown[(hidden.number == red)].any()
    found = tracks.follow(sight({2: (40.0, 30.0, (0.9, 0.1, 0.0)), 1: (50.0, 50.0, BLUE)}))
    assert number(found, 2) == red
    assert found.velocity[2, 0] == pytest.approx(3.0, abs=0.3)


def test_of_two_that_look_the_same_each_is_where_it_must_be(tracks):
    for frame in range(5):
        objects = tracks.follow(sight({0: (10.0 + 4 * frame, 20.0, RED),
                                       1: (54.0 - 4 * frame, 44.0, RED)}))
    one, other = number(objects, 0), number(objects, 1)
    swapped = tracks.follow(sight({1: (30.0, 20.0, RED), 0: (34.0, 44.0, RED)}))
    assert (number(swapped, 1), number(swapped, 0)) == (one, other)


def test_half_a_mask_hardly_moves_an_object(tracks):
    for _ in range(6):
        tracks.follow(sight({0: (30.0, 30.0, RED, 200.0)}))
    half = tracks.follow(sight({0: (36.0, 30.0, RED, 100.0)}, believed={0: (30.0, 30.0)}))
    assert half.place[0, 0] < 30.5
    whole = tracks.follow(sight({0: (36.0, 30.0, RED, 200.0)}))
    assert whole.place[0, 0] > 35  # 6 px off and whole: it was pushed by something unknown


def half_hidden(wander, believed):
    """Show the right half of a disc at (30, 30), and another that hides the rest."""
    shown = sight({0: (33.0, 30.0, RED, 100.0), 1: (24.0, 30.0, BLUE, 200.0)}, wander=wander,
                  believed={0: believed})
    return replace(shown, labels=torch.from_numpy(discs.labels(
        [(30.0, 30.0), (24.0, 30.0)], (200.0, 200.0), (True, True), SIDE)))


def test_where_half_an_object_is_the_silhouette_tells_that_it_had_before(tracks):
    for _ in range(5):
        tracks.follow(sight({0: (30.0, 30.0, RED, 200.0)}))
    for frame in range(8):
        objects = tracks.follow(half_hidden(wander=frame, believed=(36.0, 30.0)))
        torch.testing.assert_close(objects.place[0], torch.tensor([30.0, 30.0]), atol=0.5, rtol=0)


def test_where_an_object_is_that_never_showed_whole_its_belief_tells_on_average(tracks):
    jitter = np.random.default_rng(0)
    for _ in range(20):
        x, y = (30.0, 30.0) + jitter.normal(0, 1.0, 2)
        objects = tracks.follow(half_hidden(wander=0.0, believed=(x, y)))
    assert objects.place[0, 0] == pytest.approx(30.0, abs=1.0)  # the middle of what shows: 33
    assert float(objects.velocity[0].norm()) < 0.1
    objects = tracks.follow(sight({0: (31.0, 30.0, RED, 200.0)}))
    torch.testing.assert_close(objects.place[0], torch.tensor([31.0, 30.0]), atol=0.5, rtol=0)


def test_what_never_showed_whole_may_go_fast_from_the_first_look(tracks):
    """Nothing is known of its outline then, and its velocity is believed to be small."""
    for frame in range(5):
        x = 8.0 + 10.0 * frame
        objects = tracks.follow(sight({0: (x, 30.0, RED, 200.0), 1: (x + 6.0, 30.0, BLUE)}))
    assert not objects.whole[objects.track[0]]
    assert objects.velocity[0, 0] == pytest.approx(10.0, abs=1.0)
    assert objects.place[0, 0] == pytest.approx(x, abs=2.0)


@pytest.mark.parametrize('frames', (1, 2))
def test_the_way_from_the_first_look_to_the_second_tells_how_fast_something_is(tracks, frames):
    tracks.follow(sight({0: (45.0, 40.0, RED), 1: (10.0, 10.0, BLUE)}))
    objects = tracks.follow(
        sight({0: (45.0 - 12.0 * frames, 40.0 - 8.0 * frames, RED), 1: (10.0, 10.0, BLUE)}),
        frames=frames)
    assert number(objects, 0) == 1
    torch.testing.assert_close(objects.velocity[0], torch.tensor([-12.0, -8.0]), atol=1.0, rtol=0)


def test_the_more_of_an_object_may_be_hidden_the_less_its_look_says(tracks):
    weights = []
    for away in (40.0, 12.0, 9.0, 4.0):
        objects = tracks.follow(sight({0: (20.0, 30.0, RED, 200.0),
                                       1: (20.0 + away, 30.0, BLUE, 150.0)}))
        weights.append(float(objects.to_slots(objects.weight(), 0.0)[0]))
    assert weights[0] == 1.0
    assert 0.3 > weights[1] > weights[2] > weights[3]


def test_what_was_seen_whole_is_remembered_of_what_is_half_hidden(tracks):
    for _ in range(3):
        objects = tracks.follow(sight({0: (30.0, 30.0, RED, 200.0)}))
    for _ in range(5):
        objects = tracks.follow(half_hidden(wander=0.0, believed=(30.0, 30.0)))
    remembered = objects.traits[1, objects.track[0]]
    torch.testing.assert_close(remembered[:4], torch.tensor([*RED, 200.0 ** 0.5]), atol=0.3,
                               rtol=0)
    # A disc has no moments but c_11 and c_22; half a disc has others.
    disc = torch.tensor([1 / (2 * torch.pi), 1 / (3 * torch.pi ** 2)])
    torch.testing.assert_close(remembered[[4, 8]].exp(), disc, atol=3e-3, rtol=0)
    assert remembered[[5, 6, 7, 9, 10]].exp().max() < 0.01


def test_two_slots_that_share_an_object_are_one(tracks):
    objects = tracks.follow(sight({0: (30.0, 30.0, RED, 200.0), 3: (50.0, 30.0, RED)}))
    red = number(objects, 0)
    objects = tracks.follow(sight({0: (26.0, 30.0, RED, 80.0), 1: (33.0, 30.0, RED, 120.0),
                                   3: (50.0, 30.0, RED)}))
    assert number(objects, 1) == red and number(objects, 0) == -1
    assert tracks.object_in(0) == red
    assert number(objects, 3) not in (red, -1)  # looks the same, but does not touch
    torch.testing.assert_close(objects.place[1], torch.tensor([30.0, 30.0]), atol=0.5, rtol=0)


def test_something_thrown_off_its_course_is_found_by_its_look(tracks):
    for _ in range(5):
        objects = tracks.follow(sight({0: (30.0, 30.0, RED), 1: (10.0, 10.0, BLUE)}))
    red = number(objects, 0)
    objects = tracks.follow(sight({0: (45.0, 30.0, RED), 1: (10.0, 10.0, BLUE)}))
    assert number(objects, 0) == red
    torch.testing.assert_close(objects.place[0], torch.tensor([45.0, 30.0]), atol=0.1, rtol=0)


def test_frames_that_nobody_saw_are_counted(tracks):
    for frame in range(6):
        tracks.follow(sight({0: (10.0 + 3 * frame, 30.0, RED)}))
    objects = tracks.follow(sight({0: (40.0, 30.0, RED)}), frames=5)
    torch.testing.assert_close(objects.place[0], torch.tensor([40.0, 30.0]), atol=0.5, rtol=0)
    assert objects.velocity[0, 0] == pytest.approx(3.0, abs=0.3)


def test_the_one_unseen_for_longest_makes_room(tracks):
    colours = [(a, b, c) for a in (0.0, 0.5, 1.0) for b in (0.0, 1.0) for c in (0.0, 1.0)]
    first = number(tracks.follow(sight({0: (32.0, 32.0, colours[0])})), 0)
    for colour in colours[1:]:
        objects = tracks.follow(sight({0: (32.0, 32.0, colour)}))
    assert first not in objects.number.tolist()
    assert sorted(objects.number.tolist()) == list(range(5, 13))
