# SPDX-License-Identifier: Apache-2.0
"""What learning minimises: the free energy after every refinement, later ones weighing more."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.free_energy import Evaluation
from obai_ros.model.inference import Schedule, iterate_clip
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai


@dataclass(frozen=True)
class Objective:
    """The composite loss of a batch (eq. 16), and the evaluation after the last refinement."""

    loss: Tensor
    """Scalar: nats per pixel and sequence, weighted; with a graph to the parameters."""
    final: Evaluation


def composite_loss(model: Obai, images: Tensor, fields: Sequence[ActionField],
                   schedule: Schedule, noise: Noise, temperature: float | None = None
                   ) -> Objective:
    """
    Return sum_n (n / N_iter) L^(n), divided by the weights' sum and by the number of pixels.

    images: [B, T, 3, H, W] in [0, 1]. The division makes losses comparable across schedules and
    resolutions; it does not move the optimum.
    """
    batch, frames = images.shape[:2]
    last = schedule.total(frames)
    total = 0.0
    for step, _, evaluation in iterate_clip(model, images, fields, schedule, noise, temperature,
                                            learning=True):
        if step > 0:
            total = total + (step / last) * evaluation.loss
    pixels = images.shape[-1] * images.shape[-2]
    weights = (last + 1) / 2.0
    return Objective(total / (weights * batch * pixels), evaluation)
