# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from hypothesis import given, settings, strategies as st
import pytest
import torch

from obai_ros.model.belief import Belief
from obai_ros.planning.feef import eq14, feef, forecast
from obai_ros.planning.goal_terms import GoalTerms
from obai_ros.planning.occlusion import View
from obai_ros.planning.planner import Outcome, Planner, PlannerConfig
from obai_ros.planning.preference import Preference

GENTLE = PlannerConfig(max_acceleration=0.5, limit='box')


def everywhere(batch=2, slots=3):
    return torch.ones(batch, slots, dtype=torch.bool)


def pixels(position, velocity=(0.0, 0.0), sd=0.01):
    """Return the belief of one slot whose latent state is its position in px, with D = I."""
    position = torch.tensor([[position]])
    log_sd = torch.full_like(position, sd).log()
    return Belief(position, torch.tensor([[velocity]]), log_sd, log_sd)


def at(x, y):
    return Preference.diagonal(torch.tensor([[[x, y]]]), torch.ones(1, 1, 2))


def plan_toward(planner, belief, goal, active, **seen):
    """Return the plan for a preference."""
    return planner.plan(belief, planner.terms(goal), active, **seen)


def test_a_plan_lowers_feef(make_belief, make_preference, dynamics):
    belief, goal = make_belief(), make_preference()
    planner = Planner(dynamics, PlannerConfig(action_cost=0.0))
    plan = plan_toward(planner, belief, goal, everywhere())
    nothing = forecast(belief, dynamics, torch.zeros_like(plan.sequence), 0.1)
    assert (plan.feef < feef(nothing, goal, goal.at_rest(1.0))).all()
    assert torch.equal(plan.acceleration, plan.sequence[..., 0, :])


def test_terms_of_a_goal_serve_for_any_number_of_plans(make_belief, make_preference, dynamics):
    planner, preferences = Planner(dynamics), [make_preference(), make_preference()]
    terms = [planner.terms(preference) for preference in preferences]
    for goal, preference in [*zip(terms, preferences)] * 2:
        belief = make_belief()
        again = planner.plan(belief, goal, everywhere())
        fresh = plan_toward(Planner(dynamics), belief, preference, everywhere())
        torch.testing.assert_close(again.sequence, fresh.sequence, rtol=0, atol=0)
        torch.testing.assert_close(again.feef, fresh.feef)


def test_scenes_are_planned_for_together_as_alone(make_belief, make_preference, dynamics):
    """Without a batch, too: two scenes of three slots."""
    planner, belief, preference = Planner(dynamics), make_belief(), make_preference()
    terms = [planner.terms(preference[scene]) for scene in range(2)]
    together = planner.plan(belief, GoalTerms.stack(terms), everywhere())
    for scene, goal in enumerate(terms):
        alone = planner.plan(belief[scene], goal, everywhere()[scene])
        torch.testing.assert_close(alone.sequence, together.sequence[scene])
        torch.testing.assert_close(alone.feef, together.feef[scene])


def test_law_of_the_paper_is_eq14(make_belief, make_preference, dynamics):
    belief, goal = make_belief(), make_preference()
    planner = Planner(dynamics, PlannerConfig(law='eq14', max_acceleration=100.0))
    plan = plan_toward(planner, belief, goal, everywhere())
    torch.testing.assert_close(plan.acceleration, eq14(belief.mean, goal, dynamics))


@pytest.mark.parametrize('limit', ['clip', 'box', 'auto'])
def test_limits_are_kept(make_belief, make_preference, dynamics, limit):
    config = PlannerConfig(max_acceleration=0.2, limit=limit)
    plan = plan_toward(Planner(dynamics, config), make_belief(), make_preference(), everywhere())
    assert plan.sequence.abs().max() <= 0.2 + 1e-12
    assert (plan.outcome == Outcome.ACT).all()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(3)))
def test_slots_and_scenes_do_not_depend_on_each_other(seed, order):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    log_sd = torch.full((4, 3, 5), -2.0, dtype=torch.float64)
    belief = Belief(normal(4, 3, 5), 0.2 * normal(4, 3, 5), log_sd, log_sd)
    goal = Preference.diagonal(normal(4, 3, 5), normal(4, 3, 5).square() + 0.1)
    active = normal(4, 3) > -1
    planner = Planner(0.3 * normal(5, 2), GENTLE)
    whole = plan_toward(planner, belief, goal, active)
    mixed = plan_toward(planner, belief[:, order], goal[:, order], active[:, order])
    torch.testing.assert_close(mixed.acceleration, whole.acceleration[:, order])
    assert torch.equal(mixed.outcome, whole.outcome[:, order])
    alone = plan_toward(planner, belief[2:3], goal[2:3], active[2:3])
    torch.testing.assert_close(alone.acceleration, whole.acceleration[2:3])
    torch.testing.assert_close(alone.feef, whole.feef[2:3], equal_nan=True)


def test_single_precision_plans_the_same(make_belief, make_preference, dynamics):
    belief, goal = make_belief(), make_preference()
    exact = plan_toward(Planner(dynamics), belief, goal, everywhere())
    single = Belief(*(value.float() for value in vars(belief).values()))
    plan = plan_toward(Planner(dynamics.float()), 
        single, Preference(goal.mean.float(), goal.precision.float()), everywhere())
    torch.testing.assert_close(plan.acceleration.double(), exact.acceleration, rtol=1e-3,
                               atol=1e-3)


def test_slots_without_a_goal_are_left_alone(make_belief, make_preference, dynamics):
    active = torch.tensor([[True, False, True], [False, False, True]])
    plan = plan_toward(Planner(dynamics), make_belief(), make_preference(), active)
    assert (plan.acceleration[~active] == 0).all()
    assert plan.feef.isnan().tolist() == (~active).tolist()
    assert (plan.outcome[~active] == Outcome.IDLE).all()
    assert (plan.outcome[active] == Outcome.ACT).all()


def test_stops_where_acting_would_chase_noise():
    planner = Planner(torch.eye(2), PlannerConfig(stop_ratio=1.0))
    goal = at(32.0, 32.0)
    there = plan_toward(planner, pixels((32.2, 31.9), sd=0.5), goal, everywhere(1, 1))
    assert there.outcome.item() == Outcome.STOP
    assert (there.acceleration == 0).all()
    sure = plan_toward(planner, pixels((32.2, 31.9), sd=0.01), goal, everywhere(1, 1))
    away = plan_toward(planner, pixels((22.0, 31.9), sd=0.5), goal, everywhere(1, 1))
    moving = plan_toward(planner, pixels((32.2, 31.9), (6.0, 0.0), sd=0.5), goal, everywhere(1, 1))
    assert sure.outcome.item() == away.outcome.item() == moving.outcome.item() == Outcome.ACT


def test_waits_for_what_it_cannot_see():
    planner = Planner(torch.eye(2), PlannerConfig(wait_sd=10.0))
    lost = plan_toward(planner, pixels((10.0, 10.0), sd=12.0), at(32.0, 32.0), everywhere(1, 1))
    assert lost.outcome.item() == Outcome.WAIT
    hidden = plan_toward(planner, pixels((10.0, 10.0)), at(32.0, 32.0), everywhere(1, 1),
                         reachable=~everywhere(1, 1))
    assert hidden.outcome.item() == Outcome.WAIT
    assert (hidden.acceleration == 0).all() and (lost.acceleration == 0).all()


def test_goal_that_leaves_a_direction_open_has_no_free_plan():
    """The preference ignores y, and at no cost any acceleration along y is as good."""
    goal = Preference(torch.zeros(1, 1, 2), torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]]))
    free = Planner(torch.eye(2), PlannerConfig(action_cost=0.0))
    plan = plan_toward(free, pixels((5.0, 5.0)), goal, everywhere(1, 1))
    assert plan.outcome.item() == Outcome.INDIFFERENT
    assert (plan.acceleration == 0).all()
    costly = plan_toward(Planner(torch.eye(2)), pixels((5.0, 5.0)), goal, everywhere(1, 1))
    assert costly.sequence[..., 1].abs().max() == 0 and costly.sequence[..., 0].abs().max() > 0


def two_discs(gap, radii=(6.0, 6.0)):
    """Return beliefs (latent = px, D = I), and a view, of two objects at rest side by side."""
    centre = torch.tensor([[[32.0, 32.0], [32.0 + gap, 32.0]]])
    log_sd = torch.full_like(centre, -5.0)
    mass = 3.14159 * torch.tensor([radii]).square()
    belief = Belief(centre, torch.zeros_like(centre), log_sd, log_sd)
    return belief, View(centre, mass, torch.ones(1, 2, dtype=torch.bool))


def test_objects_that_others_may_hide_go_slowly():
    """The second is to go where the first is; should it pass behind, it must not run away."""
    planner = Planner(torch.eye(2))
    belief, view = two_discs(8.0)
    goal = at(32.0, 32.0).expand(1, 2)
    swift = plan_toward(planner, belief, goal, everywhere(1, 2))
    careful = plan_toward(planner, belief, goal, everywhere(1, 2), view=view)
    assert swift.acceleration[0, 1, 0] < -2
    assert -1 < careful.acceleration[0, 1, 0] < -0.3
    assert (careful.sequence[0, 1, 1:] == 0).all()
    # one who stays visible goes as it would alone: far off, or too large to be hidden
    for gap, radii in ((20.0, (6.0, 6.0)), (8.0, (4.0, 9.0))):
        belief, view = two_discs(gap, radii)
        alone = plan_toward(planner, belief, goal, everywhere(1, 2))
        beside = plan_toward(planner, belief, goal, everywhere(1, 2), view=view)
        torch.testing.assert_close(beside.acceleration[0, 1], alone.acceleration[0, 1])


def test_slots_that_show_nothing_hide_nothing():
    belief, view = two_discs(8.0)
    goal = at(32.0, 32.0).expand(1, 2)
    gone = replace(view, showing=torch.tensor([[False, True]]))
    planner = Planner(torch.eye(2))
    beside, alone = (plan_toward(planner, belief, goal, everywhere(1, 2), view=seen)
                     for seen in (gone, None))
    torch.testing.assert_close(beside.sequence, alone.sequence)


@pytest.mark.parametrize('dynamics', [
    torch.zeros(4, 2), torch.tensor([[1.0, 2.0], [2.0, 4.0]])])
def test_singular_dynamics_are_refused(dynamics):
    with pytest.raises(ValueError, match='D is singular .* train it further'):
        Planner(dynamics)


def test_one_dimension_cannot_hold_a_place():
    with pytest.raises(ValueError, match='D has one row'):
        Planner(torch.tensor([[1.0, 2.0]]))


def test_dynamics_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match='not finite'):
        Planner(torch.tensor([[float('nan'), 0.0], [0.0, 1.0]]))


def test_dynamics_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r'shape \[N, 2\], not \(2, 3\)'):
        Planner(torch.zeros(2, 3))


@pytest.mark.parametrize('name, value', [
    ('law', 'greedy'), ('horizon', 0), ('horizon', 2.5), ('velocity_weight', -1.0),
    ('action_cost', float('nan')), ('max_acceleration', 0.0), ('limit', 'none'),
    ('limit_iterations', 0), ('blind_horizon', 0), ('stop_ratio', -0.1), ('wait_sd', 0.0),
    ('state_noise', 0.0)])
def test_options_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f'planner option {name} = '):
        replace(PlannerConfig(), **{name: value})
