# SPDX-License-Identifier: Apache-2.0
"""What learning minimises: the free energy after every refinement, later ones weighing more."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.free_energy import Evaluation
from obai_ros.model.inference import first_window, iterate_clip, iterate_stream
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.schedule import Schedule
from obai_ros.model.window import Window


@dataclass(frozen=True)
class Objective:
    """The composite loss of a batch (eq. 16), and the evaluation after the last refinement."""

    loss: Tensor
    """Scalar: nats per pixel and sequence, weighted; with a graph to the parameters."""
    final: Evaluation


def composite_loss(model: Obai, images: Tensor, fields: Sequence[ActionField],
                   schedule: Schedule, noise: Noise, temperature: float | None = None,
                   learning: bool = True) -> Objective:
    """
    Return sum_n (n / N_iter) L^(n), divided by the weights' sum and by the number of pixels.

    images: [B, T, 3, H, W] in [0, 1]. learning: whether weights are to get gradients from it,
    which those of an average do not take. The division makes losses comparable across schedules
    and resolutions; it does not move the optimum.
    """
    return _weighted(iterate_clip(model, images, fields, schedule, noise, temperature,
                                  learning), schedule.total(images.shape[1]))[0]


def stream_loss(model: Obai, window: Window | None, image: Tensor | None,
                arrivals: Iterable[tuple[Tensor, ActionField]], frames: int, schedule: Schedule,
                noise: Noise, temperature: float | None = None) -> tuple[Objective, Window]:
    """
    Return the composite loss of the next frames of streams, and the window after them, detached.

    window: where the streams are; None: at their first `image` [B, 3, H, W], which is refined by
    itself before others come. arrivals: `frames` images, each with the field that acted before
    it. For streams that go on, as many refinements count as done before as are to come, so that
    weights rise from a half to one: their beliefs are to be good all the time.
    """
    first = schedule.at(0) if window is None else 0
    total = first + frames * schedule.iterations
    window = first_window(model, image, schedule, noise) if window is None else window
    objective, window = _weighted(
        iterate_stream(model, window, arrivals, schedule, noise, temperature, learning=True,
                       first=first), total, before=0 if first else total)
    return objective, window.detach()


def _weighted(steps: Iterator[tuple[int, Window, Evaluation]], last: int, before: int = 0
              ) -> tuple[Objective, Window]:
    """Return the weighted mean of the loss over refinements before + n, n = 0 .. last."""
    total = 0.0
    for step, window, evaluation in steps:
        if before + step > 0:
            total = total + (before + step) / (before + last) * evaluation.loss
    weights = sum(range(before, before + last + 1)) / (before + last)
    batch, pixels = len(window.images), window.images.shape[-1]
    return Objective(total / (weights * batch * pixels), evaluation), window
