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
    sigma_s, pushes = model.config.sigma_s, model.dynamics.push(window.action_belief.mean)
    belief = window.belief
    # What each velocity ought to be by itself: how far the state has moved ...
    moved = belief.mean - torch.cat([belief.mean[:, :1], belief.mean[:, :-1]], 1)
    # ... and the velocity before, which is unknown but for that of the past, plus a push.
    nothing = torch.zeros_like(belief.mean[:, :1])
    pushed = torch.cat([nothing, pushes], 1) - torch.cat([pushes, nothing], 1)
    wish = moved + pushed
    if window.past is not None:
        past = window.past
        first = (belief.mean[:, 0] - past.belief.mean + past.belief.velocity
                 + model.dynamics.push(past.action.mean))
        wish = torch.cat([(wish[:, 0] + first)[:, None], wish[:, 1:]], 1)
    weights = _weights(window.frames, window.past is not None, sigma_s).to(wish)
    velocity = torch.einsum('fg,bgkn->bfkn', weights, wish)
    return replace(window, packed=replace(belief, velocity=velocity).pack())


@lru_cache(maxsize=64)
def _weights(frames: int, has_past: bool, sigma_s: float) -> Tensor:
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
