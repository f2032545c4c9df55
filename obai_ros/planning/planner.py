# SPDX-License-Identifier: Apache-2.0
"""Planner: from beliefs and preferences to an acceleration for each slot, and a word on why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cached_property

import torch
from torch import Tensor

from obai_ros.model.belief import Belief
from obai_ros.planning.feef import eq14, feef, forecast
from obai_ros.planning.goal_terms import GoalTerms
from obai_ros.planning.horizon import Horizon, Projection
from obai_ros.planning.limits import box_minimum, clip
from obai_ros.planning.occlusion import View
from obai_ros.planning.preference import Preference

LAWS = ('feef', 'eq14')
LIMITS = ('auto', 'clip', 'box')
# A plan that exceeds the limits by up to this factor may be clipped: the rest is made up for in
# the next frames. Beyond it a clipped plan gathers more speed than it can take off in time.
CLIP_EXCESS = 1.5
# Below this ratio of its singular values D moves the latent state in one direction only.
SINGULAR_RATIO = 1e-3


class Outcome(IntEnum):
    """What the planner decided for a slot."""

    IDLE = 0
    """The slot has no goal."""
    ACT = 1
    """Its acceleration is to be applied."""
    STOP = 2
    """At its goal and at rest, as far as the belief can tell: acting would chase noise."""
    WAIT = 3
    """Unseen, or its place too uncertain: no acceleration until it is seen again."""
    INDIFFERENT = 4
    """No finite plan: the goal does not constrain all directions in which it can be moved."""


@dataclass(frozen=True)
class PlannerConfig:
    """How to plan. The defaults settle in about 4 frames without overshoot."""

    law: str = 'feef'
    """feef: the closed form of eq. 13, with a wish for rest and a price of action; eq14: the
    paper's greedy step, without limits (oscillates in a loop)."""
    horizon: int = 5
    """T, frames to look ahead, 1..50."""
    velocity_weight: float = 1.0
    """c >= 0, the wish to be at rest relative to the wish to be at the goal."""
    action_cost: float = 0.3
    """lam_rel >= 0, dimensionless: lam = lam_rel tr(D' Lambda D) / 2."""
    max_acceleration: float = 8.0
    """Limit of each component, px/frame^2, > 0. Training fields have a sd of 4."""
    limit: str = 'auto'
    """clip | box (the optimum within the limits) | auto: box where clipping would overshoot."""
    limit_iterations: int = 40
    """Iterations of the projected gradient, 1..1000."""
    blind_horizon: int = 16
    """Frames, 1..100, that an action must serve alone when the object may be hidden after it."""
    stop_ratio: float = 0.02
    """STOP when G would fall by less than this times what the belief's noise alone yields, >= 0.
    Far below 1 on purpose: the belief's mean is better than its variance says."""
    wait_sd: float = 16.0
    """WAIT when the standard deviation of the believed position exceeds this, px, > 0."""
    delay: int = 0
    """Frames, 0..10, by which actions act later than on the frame that they answer."""
    state_noise: float = 0.1
    """sigma_s of eq. 5-6, latent units, > 0: the growth of uncertainty over the horizon."""

    def __post_init__(self):
        checks = {
            'law': (self.law in LAWS, ' or '.join(LAWS)),
            'horizon': (isinstance(self.horizon, int) and 1 <= self.horizon <= 50,
                        'a whole number from 1 to 50'),
            'velocity_weight': (0 <= self.velocity_weight < float('inf'), 'zero or more'),
            'action_cost': (0 <= self.action_cost < float('inf'), 'zero or more'),
            'max_acceleration': (0 < self.max_acceleration < float('inf'), 'positive'),
            'limit': (self.limit in LIMITS, ', '.join(LIMITS)),
            'limit_iterations': (isinstance(self.limit_iterations, int)
                                 and 1 <= self.limit_iterations <= 1000,
                                 'a whole number from 1 to 1000'),
            'blind_horizon': (isinstance(self.blind_horizon, int)
                              and 1 <= self.blind_horizon <= 100, 'a whole number from 1 to 100'),
            'stop_ratio': (0 <= self.stop_ratio < float('inf'), 'zero or more'),
            'wait_sd': (self.wait_sd > 0, 'positive'),
            'delay': (isinstance(self.delay, int) and 0 <= self.delay <= 10,
                      'a whole number from 0 to 10'),
            'state_noise': (0 < self.state_noise < float('inf'), 'positive'),
        }
        for field in fields(self):
            valid, expected = checks[field.name]
            if not valid:
                raise ValueError(f'planner option {field.name} = {getattr(self, field.name)!r}: '
                                 f'expected {expected}')


@dataclass(frozen=True)
class Plan:
    """
    What to do, for K slots of any number of scenes.

    acceleration [..., K, 2]: a_0, px/frame^2, zero unless the outcome is ACT; sequence
    [..., K, T, 2]: the whole plan; outcome [..., K] int64, an Outcome; evaluate: returns `feef`.
    """

    acceleration: Tensor
    sequence: Tensor
    outcome: Tensor
    evaluate: Callable[[], Tensor]

    @cached_property
    def feef(self) -> Tensor:
        """G of eq. 13 under the plan [..., K], nats, NaN where there is no goal.

        Computed when it is asked for: it tells how good the plan is, and takes as long as to make
        one.
        """
        return self.evaluate()


class Planner:
    """
    Plans for slots that obey s' <- s' + D a, s <- s + s'.

    `dynamics` is D [N, 2], latent units per px/frame^2. Raises ValueError where D is singular:
    such a model has not learned what an acceleration does, and nothing can be planned with it.
    """

    def __init__(self, dynamics: Tensor, config: PlannerConfig = PlannerConfig()):
        dynamics = dynamics.detach()
        if dynamics.ndim != 2 or dynamics.shape[1] != 2:
            raise ValueError(f'D must have the shape [N, 2], not {tuple(dynamics.shape)}')
        if not torch.isfinite(dynamics).all():
            raise ValueError('D holds numbers that are not finite: the weights are spoiled; use '
                             'others')
        if len(dynamics) < 2:
            raise ValueError('D has one row: a latent state of one dimension cannot hold a place')
        gains = torch.linalg.svdvals(dynamics.double().cpu())
        if not gains[-1] > SINGULAR_RATIO * gains[0]:
            raise ValueError(
                f'D is singular (singular values {", ".join(f"{g:.2g}" for g in gains.tolist())}):'
                ' the model has not learned how accelerations move an object in both directions; '
                'train it further, or use other weights')
        self.config = config
        self.dynamics = dynamics
        self.horizon = Horizon(config.horizon, config.velocity_weight, dynamics.dtype,
                               dynamics.device)
        # The same objective where only the first action can be taken: the object leaves sight.
        self.blind = Horizon(config.blind_horizon, config.velocity_weight, dynamics.dtype,
                             dynamics.device, actions=1)

    @torch.inference_mode()
    def terms(self, preference: Preference) -> GoalTerms:
        """Return what `plan` needs to know of goals, and is the same for all that is believed."""
        weighted, gram = preference.through(self.dynamics)
        cost = self.config.action_cost * gram.diagonal(dim1=-2, dim2=-1).sum(-1) / 2
        return GoalTerms(
            preference, preference.at_rest(self.config.velocity_weight), weighted, gram,
            _inverse(gram), cost, self.horizon.mode_inverses(gram, cost),
            self.blind.mode_inverses(gram, cost))

    @torch.inference_mode()
    def plan(self, belief: Belief, goal: GoalTerms, active: Tensor,
             reachable: Tensor | None = None, view: View | None = None) -> Plan:
        """
        Return a plan for each slot.

        `belief` has mean, velocity, log_sd, velocity_log_sd [..., K, N]; `goal`: the `terms` of a
        preference for each slot (any finite one where there is no goal); `active` [..., K] bool:
        slots with a goal, never the background slot; `reachable` [..., K] bool: slots with a pixel
        to act on (None: all); `view`: where the slots show (None: they never hide each other). An
        object that its plan would take to where another may hide it is given the one action that
        serves it best if no other can follow: it drifts to its goal so slowly that it is there for
        long. The answer consists of inference tensors, which are quicker to make.
        """
        config = self.config
        projection = Projection.of(belief, goal.preference, goal.weighted, goal.gram)
        if config.law == 'eq14':
            sequence = eq14(belief.mean, goal.preference, self.dynamics)[..., None, :]
            worthwhile = torch.ones_like(active)
        else:
            sequence, worthwhile = self._optimum(projection, goal)
            if view is not None:
                sequence = self._cautious(sequence, projection, goal, view, active)

        def expected(accelerations: Tensor) -> Tensor:
            future = forecast(belief, self.dynamics, accelerations, config.state_noise)
            return feef(future, goal.preference, goal.rest)

        outcome = self._decide(projection, goal, sequence, worthwhile, active, reachable)
        acting = (outcome == Outcome.ACT)[..., None]
        return Plan(torch.where(acting, sequence[..., 0, :], 0.0), sequence, outcome,
                    lambda: expected(sequence).masked_fill(~active, float('nan')))

    def _optimum(self, projection: Projection, goal: GoalTerms) -> tuple[Tensor, Tensor]:
        """Return the plan within the limits, and whether it is after more than noise, [..., K]."""
        limit = self.config.max_acceleration
        free, fall, noise = self.horizon.solve(projection, goal.modes)
        worthwhile = fall > self.config.stop_ratio * noise
        excess = free.abs().amax((-2, -1)) / limit
        if not (excess > 1).any():
            return free, worthwhile
        plan = clip(free, limit)
        far = excess > {'clip': float('inf'), 'box': 1.0, 'auto': CLIP_EXCESS}[self.config.limit]
        if far.any():
            chosen = Projection(*(getattr(projection, f.name)[far] for f in fields(Projection)))
            lam = goal.cost[far]
            best = box_minimum(
                self.horizon.hessian(chosen, lam), self.horizon.target(chosen).flatten(-2), limit,
                plan[far].flatten(-2), self.horizon.curvature(chosen, lam),
                self.config.limit_iterations)
            plan[far] = best.unflatten(-1, (-1, 2))
        return plan, worthwhile

    def _cautious(self, sequence: Tensor, projection: Projection, goal: GoalTerms, view: View,
                  active: Tensor) -> Tensor:
        """Return the plans, with others for objects that theirs would take out of sight."""
        velocity = (goal.inverse @ projection.drift[..., None]).squeeze(-1)
        moving = torch.where(active[..., None], sequence[..., 0, :], 0.0)
        hidden = view.may_be_hidden(velocity + moving) & active
        if not hidden.any():
            return sequence
        once = torch.zeros_like(sequence)
        once[..., :1, :] = clip(self.blind.minimiser(projection, goal.blind_modes),
                                self.config.max_acceleration)
        return torch.where(hidden[..., None, None], once, sequence)

    def _decide(self, projection: Projection, goal: GoalTerms, sequence: Tensor,
                worthwhile: Tensor, active: Tensor, reachable: Tensor | None) -> Tensor:
        """Return the Outcome [..., K] of each slot."""
        # tr(M^-1 S M^-1) / 2: the mean variance per axis of the position that D reads out.
        variance = (goal.inverse @ projection.error_noise * goal.inverse).sum((-2, -1)) / 2
        finite = torch.isfinite(sequence).flatten(-2).all(-1)
        unseen = variance.sqrt() > self.config.wait_sd
        if reachable is not None:
            unseen = unseen | ~reachable
        outcome = torch.where(worthwhile, int(Outcome.ACT), int(Outcome.STOP))
        return (outcome.masked_fill(unseen, Outcome.WAIT)
                .masked_fill(~finite, Outcome.INDIFFERENT).masked_fill(~active, Outcome.IDLE))


def _inverse(gram: Tensor) -> Tensor:
    """Return the inverse [..., 2, 2] of a Gram matrix; huge, not infinite, where singular."""
    a, b, d = gram[..., 0, 0], gram[..., 0, 1], gram[..., 1, 1]
    tiny = torch.finfo(gram.dtype).tiny
    determinant = (a * d - b.square()).clamp(min=tiny)
    return torch.stack([d, -b, -b, a], -1).unflatten(-1, (2, 2)) / determinant[..., None, None]
