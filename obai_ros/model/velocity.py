# SPDX-License-Identifier: Apache-2.0
"""
Velocities in closed form: where things are from frame to frame says how fast they are.

Beyond the paper, where networks infer them. Given all else, the free energy of a window is
quadratic in its velocities (eq. 5-6), by the same small matrix for every slot and dimension, so
that the best of them are a linear system away.
"""
from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from obai_ros.model.obai import Obai
from obai_ros.model.window import Window


def best_velocities(model: Obai, window: Window) -> Window:
    """
    Return the window with the means of its velocities where the free energy is lowest.

    Means of states and q(a) are taken as they are, spreads stay. Differentiable.
    """
    belief, actions, past = window.belief, window.action_belief.mean, window.past
    if past is not None:
        means = torch.cat([past.belief.mean[:, None], belief.mean], 1)
        actions = torch.cat([past.action.mean[:, None], actions], 1)
    else:
        means = torch.cat([belief.mean[:, :1], belief.mean], 1)
        actions = torch.cat([torch.zeros_like(belief.mean[:, :1, :, :2]), actions], 1)
    # What each velocity ought to be: how far the state has moved, and by the push before and after
    # it more and less than its neighbours, which are unknown but for that of the past.
    pushes = model.dynamics.push(actions)
    wish = torch.diff(means, dim=1) + pushes
    wish[:, :-1] -= pushes[:, 1:]
    if past is not None:
        wish[:, 0] += past.belief.velocity
    share = weights(window.frames, past is not None, model.config.sigma_s).to(wish)
    velocity = (share @ wish.flatten(2)).view_as(wish)
    return replace(window, packed=replace(belief, velocity=velocity).pack())


@lru_cache(maxsize=64)
def weights(frames: int, has_past: bool, sigma_s: float) -> Tensor:
    """
    Return [F, F]: how much what is wished for in each frame counts to each frame's velocity.

    The inverse of the Hessian of the free energy times sigma_s^2: of (v_f - v_{f-1} - D a)^2 and
    (s_f - s_{f-1} - v_f)^2 for all frames but the first; of that, the same if there is a past, or
    else its prior N(0, 1).
    """
    hessian = 2.0 * torch.eye(frames, dtype=torch.float64)
    hessian[:-1, :-1] += torch.eye(frames - 1, dtype=torch.float64)
    for frame in range(1, frames):
        hessian[frame, frame - 1] = hessian[frame - 1, frame] = -1.0
    if not has_past:
        hessian[0, 0] += sigma_s ** 2 - 2.0
    return torch.linalg.inv(hessian)
