# SPDX-License-Identifier: Apache-2.0
"""Goals: which slots they are about, what these prefer for it, and which are refused."""
from dataclasses import replace
import math

import discs
import pytest
import torch

from obai_ros.environment.rendering import render
from obai_ros.environment.scene import sample_scene, SceneConfig
from obai_ros.environment.shapes import SHAPES as DRAWN
from obai_ros.model.belief import Belief
from obai_ros.model.percept import moments
from obai_ros.model.traits import traits as true_traits
from obai_ros.planning.aim import FADING
from obai_ros.planning.goal import Goal, Kind, ObjectClass, Sight
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.planner import Planner, PlannerConfig
from obai_ros.planning.preference import GoalError
from obai_ros.planning.pursuit import MOST, Pursuit

SIDE, LATENT = 32, 8
SHAPES = ('square', 'heart')
DYNAMICS = torch.eye(LATENT)[:, :2] / 10
"""The first two latents are the position in px / 10."""
CENTRE = [(5.0, 5.0), (20.0, 8.0), (16.0, 16.0), (9.0, 9.0)]
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def encode(position, shape, colour):
    looks = torch.nn.functional.one_hot(shape, 2).float()
    return torch.cat([position / 10, 2 * looks, colour, torch.zeros(len(shape), 1)], 1)


def traits(shape, colour):
    outline = torch.nn.functional.one_hot(shape, 7).float()
    return torch.cat([colour, torch.full((len(shape), 1), 8.0), outline], 1)


@pytest.fixture(scope='module')
def bank():
    generator = torch.Generator().manual_seed(0)
    count = 4000
    position = SIDE * torch.rand(count, 2, generator=generator)
    shape = torch.randint(2, (count,), generator=generator)
    colour = torch.randint(2, (count, 3), generator=generator).float()
    noise = 0.1 * torch.randn(count, LATENT, generator=generator)
    return GoalBank(
        position=position, shape=shape, colour=colour, size=torch.full((count,), 8.0),
        orientation=torch.zeros(count), mean=encode(position, shape, colour) + noise,
        sd=torch.full((count, LATENT), 0.1),
        traits=traits(shape, colour) + 0.1 * torch.randn(count, 11, generator=generator),
        model_id='m', image_size=(SIDE, SIDE),
        shapes=SHAPES)


@pytest.fixture
def pursuit(bank):
    return Pursuit(bank, '', Planner(DYNAMICS), 2.0, SIDE, SIDE)


def sight(objects=(True, True, False, False), shapes=(0, 1, 0, 0),
          colours=(RED, BLUE, RED, RED), centre=CENTRE):
    """Return four slots, of which 2 is the background and 3 is empty unless said otherwise."""
    mean = encode(torch.tensor(centre), torch.tensor(shapes), torch.tensor(colours))
    sure = torch.full_like(mean, -3.0)
    mass = torch.full((4,), 60.0)
    return Sight(Belief(mean, torch.zeros_like(mean), sure, sure), torch.tensor(centre), mass,
                 traits(torch.tensor(shapes), torch.tensor(colours)), torch.tensor(objects),
                 torch.from_numpy(discs.labels(centre, mass, objects, SIDE)))


def of_class(x, y, *words, **more):
    return Goal(Kind.CLASS, x, y, object_class=ObjectClass(*words), **more)


def about(pursuit, seen):
    """Return {slot: (x, y) px} of the slots that have a goal, as preferences and places say."""
    aims = pursuit.aims(seen)
    assert torch.equal(aims.place.isnan().all(-1), ~aims.active)
    wanted = {slot: tuple((10 * aims.terms.preference.mean[slot, :2]).round().tolist())
              for slot in aims.active.nonzero().flatten().tolist()}
    for slot, place in wanted.items():
        assert place == pytest.approx(aims.place[slot].tolist(), abs=0.5)
    return wanted


def test_nothing_is_pursued_at_first(pursuit):
    assert pursuit.goal.kind == Kind.NONE
    assert pursuit.aims(sight()).terms is None
    assert about(pursuit, sight()) == {}


def test_all_leaves_slots_without_an_object_alone(pursuit):
    pursuit.choose(Goal(Kind.ALL, 10.0, 12.0), None)
    assert about(pursuit, sight()) == {0: (10, 12), 1: (10, 12)}
    pursuit.choose(Goal(), None)
    assert about(pursuit, sight()) == {}


def test_object_is_the_one_that_is_pointed_at_whichever_slot_it_is_in(pursuit):
    pursuit.choose(Goal(Kind.OBJECT, 10.0, 10.0, u=18.0, v=10.0), sight())
    assert about(pursuit, sight()) == {1: (10, 10)}
    swapped = [CENTRE[1], CENTRE[0], *CENTRE[2:]]
    seen = sight(shapes=(1, 0, 0, 0), colours=(BLUE, RED, RED, RED), centre=swapped)
    assert about(pursuit, seen) == {0: (10, 10)}
    assert about(pursuit, sight((True, False, False, False))) == {}  # hidden: wait
    assert about(pursuit, sight()) == {1: (10, 10)}


def test_class_is_known_wherever_and_in_whatever_slot_it_is(pursuit):
    pursuit.choose(of_class(10.0, 10.0, 'heart'), None)
    assert about(pursuit, sight()) == {1: (10, 10)}
    pursuit.renumber()
    assert about(pursuit, sight(shapes=(1, 0, 0, 0))) == {0: (10, 10)}
    pursuit.choose(of_class(10.0, 10.0, None, BLUE), None)
    assert about(pursuit, sight()) == {1: (10, 10)}
    pursuit.choose(of_class(10.0, 10.0, 'square', BLUE), None)
    assert about(pursuit, sight()) == {}


def test_class_outlives_a_doubtful_frame_but_not_many(pursuit):
    pursuit.choose(of_class(10.0, 10.0, 'heart'), None)
    for _ in range(10):
        assert about(pursuit, sight()) == {1: (10, 10)}
    changed = sight(shapes=(1, 0, 0, 0))
    assert about(pursuit, changed) == {1: (10, 10)}
    frames = math.ceil(math.log(0.5) / math.log(FADING)) + 1  # until the new outweighs the old
    for _ in range(frames):
        last = about(pursuit, changed)
    assert last == {0: (10, 10)}


def rendered(shapes):
    """Return labels [n, 64, 64] of one object each, its mass and middle, and its traits."""
    generator = torch.Generator().manual_seed(4)
    config = SceneConfig(num_objects=1)
    scene = sample_scene(config, len(shapes), generator)
    scene = replace(scene, shape=shapes[:, None], position=32 + 2 * torch.rand(
        len(shapes), 1, 2, generator=generator))
    images, labels = render(scene, config)
    shown = (labels == 1)[:, None].float()
    mass, middle = moments(shown)
    return labels, mass[0, 0], middle[0, 0], true_traits(shown, images, mass, middle)[:, 0]


@pytest.mark.parametrize('shape', ['square', 'heart'])
def test_class_is_told_by_the_silhouette_when_what_is_seen_says_nothing(bank, shape):
    kinds = torch.tensor([SHAPES.index(shape), *torch.randint(
        2, (800,), generator=torch.Generator().manual_seed(1)).tolist()])
    kinds_drawn = torch.tensor([DRAWN.index(SHAPES[kind]) for kind in kinds])
    labels, mass, middle, seen = rendered(kinds_drawn)
    bank = replace(bank.first(800), shape=kinds[1:], traits=seen[1:], image_size=(64, 64))
    pursuit = Pursuit(bank, '', Planner(DYNAMICS), 2.0, 64, 64)
    for asked, x in zip(SHAPES, (5.0, 25.0)):
        pursuit.choose(of_class(x, 10.0, asked, also=True), None)
    said = seen[1:].mean(0)  # of no shape in particular
    colours = torch.tensor([RED, BLUE])
    half = labels[0].clone()
    half[:int(middle[1])] = 2  # something else hides the rest
    for showing in (labels[0], half):
        sight = Sight(Belief(*torch.zeros(4, 2, LATENT)), torch.stack([middle, middle / 2]),
                      mass.expand(2), torch.cat([colours, said[3:].expand(2, -1)], 1),
                      torch.tensor([True, 2 in showing]), showing)
        known = about(pursuit, sight)
    assert known[0] == (5 if shape == SHAPES[0] else 25, 10)


def test_goals_add_up_if_they_are_told_to(pursuit):
    for shape, x in (('square', 5.0), ('heart', 25.0)):
        pursuit.choose(of_class(x, 10.0, shape, also=True), None)
    assert about(pursuit, sight()) == {0: (5, 10), 1: (25, 10)}
    # Again for the same class: the new replaces the old.
    pursuit.choose(of_class(12.0, 10.0, 'heart', also=True), None)
    assert about(pursuit, sight()) == {0: (5, 10), 1: (12, 10)}
    pursuit.choose(Goal(Kind.OBJECT, 30.0, 30.0, u=5.0, v=5.0, also=True), sight())
    assert about(pursuit, sight()) == {0: (30, 30), 1: (12, 10)}
    pursuit.choose(of_class(12.0, 10.0, 'heart'), None)
    assert about(pursuit, sight()) == {1: (12, 10)}


def test_picture_sends_each_object_to_its_counterpart(pursuit):
    # In the picture the red square is where the blue heart is now, in another slot.
    shown = sight((False, True, True, False), (0, 0, 1, 0), (RED, RED, BLUE, RED),
                  [(1.0, 1.0), (24.0, 6.0), (12.0, 28.0), (1.0, 1.0)])
    pursuit.choose(Goal(Kind.IMAGE, scene=shown), sight())
    assert about(pursuit, sight()) == {0: (24, 6), 1: (12, 28)}
    pursuit.renumber()  # the filter starts anew, slots are others, the picture still holds
    exchanged = sight(shapes=(1, 0, 0, 0), colours=(BLUE, RED, RED, RED))
    assert about(pursuit, exchanged) == {0: (12, 28), 1: (24, 6)}


def test_picture_is_not_taken_over_by_what_was_looked_at_less_often(pursuit):
    shown = sight((False, True, False, False), (0, 1, 0, 0), (RED, BLUE, RED, RED))
    pursuit.choose(Goal(Kind.IMAGE, scene=shown, partial=True), sight())
    nearly, less_so = (0.1, 0.0, 0.9), (0.15, 0.0, 0.85)
    for _ in range(8):
        before = about(pursuit, sight((False, True, False, False), (0, 1, 0, 0),
                                      (RED, nearly, RED, RED)))
    assert before == {1: (20, 8)}
    new = sight((False, True, False, True), (0, 1, 0, 1), (RED, nearly, RED, less_so),
                [*CENTRE[:3], (28.0, 28.0)])
    assert about(pursuit, new) == {1: (20, 8)}


def test_picture_of_another_number_of_objects_only_if_that_is_allowed(pursuit):
    shown = sight((False, True, False, False), (0, 0, 1, 0), (RED, RED, BLUE, RED))
    with pytest.raises(GoalError, match='shows 1 object, but 2 are in view'):
        pursuit.choose(Goal(Kind.IMAGE, scene=shown), sight())
    pursuit.choose(Goal(Kind.IMAGE, scene=shown, partial=True), sight())
    assert about(pursuit, sight()) == {0: (20, 8)}


def test_a_filter_that_starts_anew_ends_only_goals_for_what_was_pointed_at(pursuit):
    pursuit.choose(of_class(12.0, 10.0, 'heart'), None)
    pursuit.choose(Goal(Kind.OBJECT, 30.0, 30.0, u=5.0, v=5.0, also=True), sight())
    assert [goal.kind for goal in pursuit.renumber()] == [Kind.OBJECT]
    assert about(pursuit, sight()) == {1: (12, 10)}
    assert pursuit.goal.kind == Kind.CLASS
    assert pursuit.renumber() == []


NONE_IN_VIEW = sight([False] * 4)


@pytest.mark.parametrize('goal, seen, words', [
    (Goal(Kind.ALL, -1.0, 5.0), sight(),
     r'the goal is \(-1, 5\), outside the image, which is 32 px'),
    (Goal(Kind.ALL, float('nan'), 5.0), sight(), 'outside the image'),
    (Goal(Kind.OBJECT, 5.0, 5.0, u=40.0, v=5.0), sight(), r'\(u, v\) is \(40, 5\), outside'),
    (Goal(Kind.OBJECT, 5.0, 5.0, u=4.0, v=5.0), None, 'no beliefs have arrived yet'),
    (Goal(Kind.OBJECT, 5.0, 5.0, u=4.0, v=5.0), NONE_IN_VIEW, r'no object shows at \(4, 5\)'),
    (Goal(Kind.OBJECT, 5.0, 5.0, u=30.0, v=30.0), sight(), r'no object shows at \(30, 30\)'),
    (Goal(7, 5.0, 5.0), sight(), r'kind is 7, expected 0 \(NONE\), 1 \(ALL\)'),
    (Goal(Kind.ALL, 5.0, 5.0, spread=-1.0), sight(), 'spread is -1, expected'),
    (of_class(5.0, 5.0, 'dog'), sight(),
     "no shape 'dog'; the bank knows square, heart"),
    (of_class(5.0, 5.0, None, (2.0, 0.0, 0.0)), sight(), 'three numbers in'),
    (of_class(5.0, 5.0, None, (0.5, 0.5, 0.5)), sight(),
     'has 0 objects of this colour'),
    (of_class(5.0, 5.0, None, None, (9.0, 4.0)), sight(), 'range of sizes'),
    (Goal(Kind.IMAGE), sight(), 'no picture was given: kind 4 needs `image`'),
    (Goal(Kind.IMAGE, scene=NONE_IN_VIEW), sight(), 'no object was found in the goal image'),
    (Goal(Kind.IMAGE, scene=sight()), None, 'no beliefs have arrived yet'),
])
def test_impossible_goals_are_refused_and_the_one_before_stays(pursuit, goal, seen, words):
    before = Goal(Kind.ALL, 10.0, 10.0)
    pursuit.choose(before, None)
    with pytest.raises(GoalError, match=words):
        pursuit.choose(goal, seen)
    assert pursuit.goal == before


def test_without_a_bank_there_is_a_reason():
    pursuit = Pursuit(None, 'there is no goal bank', Planner(DYNAMICS), 2.0, SIDE, SIDE)
    with pytest.raises(GoalError, match='there is no goal bank'):
        pursuit.choose(Goal(Kind.ALL, 5.0, 5.0), None)
    pursuit.choose(Goal(), None)


def test_the_default_spread_can_change(pursuit):
    pursuit.choose(Goal(Kind.ALL, 16.0, 16.0), None)
    narrow = pursuit.aims(sight()).terms.preference.precision[0, 0, 0]
    pursuit.set_spread(6.0)
    assert pursuit.aims(sight()).terms.preference.precision[0, 0, 0] < narrow / 4


def test_a_spread_that_a_goal_in_force_cannot_do_with_is_refused_and_changes_nothing(pursuit):
    pursuit.choose(Goal(Kind.ALL, 16.0, 16.0), None)
    before = pursuit.aims(sight()).terms.preference.precision
    for attempt in (pursuit.check_spread, pursuit.set_spread,
                    lambda spread: pursuit.check(pursuit.goal, spread)):
        with pytest.raises(GoalError, match='effective samples'):
            attempt(0.01)
    pursuit.check_spread(6.0)
    assert torch.equal(pursuit.aims(sight()).terms.preference.precision, before)


def test_terms_are_worked_out_when_slots_get_other_goals_and_not_for_each_frame(pursuit):
    pursuit.choose(of_class(10.0, 10.0, 'heart', also=True), None)
    pursuit.choose(of_class(20.0, 20.0, 'square', also=True), None)
    before = pursuit.aims(sight()).terms
    assert pursuit.aims(sight()).terms is before
    swapped = pursuit.aims(sight(objects=(True, True, False, False), shapes=(1, 0, 0, 0),
                                 colours=(BLUE, RED, RED, RED),
                                 centre=[CENTRE[1], CENTRE[0], *CENTRE[2:]])).terms
    assert swapped is not before
    assert torch.equal(swapped.preference.mean[:2].flip(0), before.preference.mean[:2])


def test_terms_are_those_of_the_planner_that_plans(pursuit):
    pursuit.choose(Goal(Kind.ALL, 16.0, 16.0), None)
    cheap = pursuit.aims(sight()).terms
    pursuit.plan_with(Planner(DYNAMICS, PlannerConfig(action_cost=3.0)))
    dear = pursuit.aims(sight()).terms
    torch.testing.assert_close(dear.cost, 10 * cheap.cost)
    assert not torch.equal(dear.modes, cheap.modes)


def test_goals_do_not_pile_up_without_end(pursuit):
    for number in range(MOST):
        pursuit.choose(of_class(16.0, 16.0, None, None, (1.0, 10.0 + number), also=True), None)
    with pytest.raises(GoalError, match='16 goals are in force, .* a goal without `also` repl'):
        pursuit.choose(of_class(16.0, 16.0, 'heart', also=True), None)
    # One that takes the place of another is none more.
    pursuit.choose(of_class(5.0, 5.0, None, None, (1.0, 10.0), also=True), None)
    assert (pursuit.goal.x, len(pursuit.aims(sight()).terms.preference.mean)) == (5.0, 4)
    pursuit.choose(of_class(16.0, 16.0, 'heart'), None)
    assert pursuit.goal.object_class.shape == 'heart'
    pursuit.choose(of_class(16.0, 16.0, also=True), None)


def test_a_goal_for_an_object_ends_when_nobody_follows_that_any_more(pursuit):
    pursuit.choose(Goal(Kind.ALL, 16.0, 16.0), None)
    pursuit.choose(Goal(Kind.OBJECT, 30.0, 30.0, u=5.0, v=5.0, also=True), sight())
    others = [(0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (0.0, 1.0, 0.0),
              (1.0, 1.0, 1.0), (0.5, 0.5, 0.5)]
    for colour in others:  # one after the other: with the first two one more than can be followed
        assert pursuit.give_up() == []
        pursuit.aims(sight((False, True, False, False), colours=(RED, colour, RED, RED)))
    assert [goal.kind for goal in pursuit.give_up()] == [Kind.OBJECT]
    assert pursuit.goal.kind == Kind.ALL and pursuit.give_up() == []
