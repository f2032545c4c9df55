# SPDX-License-Identifier: Apache-2.0
"""GoalTerms: what plans need to know of goals, worked out once and not for each plan."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obai_ros.planning.preference import Preference


@dataclass(frozen=True)
class GoalTerms:
    """
    All that a plan depends on beside beliefs, for any number of goals or slots [...].

    Made by `Planner.terms`, for plans by that planner. preference: the goals; rest: the wish to be
    at rest, None where it has no weight; weighted [..., N, 2] = Lambda D; gram [..., 2, 2] =
    D' Lambda D, and its inverse; cost [...]: lam, what action costs; modes [..., T, 2, 2] and
    blind_modes [..., 1, 2, 2]: `Horizon.mode_inverses` of the planner's two horizons.
    """

    preference: Preference
    rest: Preference | None
    weighted: Tensor
    gram: Tensor
    inverse: Tensor
    cost: Tensor
    modes: Tensor
    blind_modes: Tensor

    @staticmethod
    def stack(terms: list[GoalTerms]) -> GoalTerms:
        """Join terms of one planner along a new leading dimension."""
        rests = [goal.rest for goal in terms]
        return GoalTerms(
            Preference.stack([goal.preference for goal in terms]),
            None if None in rests else Preference.stack(rests),
            *(torch.stack([getattr(goal, name) for goal in terms])
              for name in ('weighted', 'gram', 'inverse', 'cost', 'modes', 'blind_modes')))
