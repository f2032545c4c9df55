# SPDX-License-Identifier: Apache-2.0
"""Seconds that a plan takes."""
from __future__ import annotations

import time

import torch

from obai_ros.benchmark.timing import percentiles
from obai_ros.model.belief import Belief
from obai_ros.planning.occlusion import View
from obai_ros.planning.placement import Contacts, place
from obai_ros.planning.planner import Planner
from obai_ros.planning.preference import Preference


def time_planning(slots: int, latent_size: int, plans: int = 500, warm_up: int = 20
                  ) -> dict[str, float]:
    """
    Return milliseconds from the beliefs of one frame to its action field, on the CPU.

    Objects are 12 px from their goals on average and at rest, and do not hide each other.
    """
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    dynamics = torch.linalg.qr(normal(latent_size, 2))[0] / 10
    planner = Planner(dynamics)
    size, goal = 64, torch.zeros(1, slots, latent_size)
    preference = Preference.diagonal(goal, torch.full_like(goal, 0.04))
    row = torch.arange(slots)[None] * (size // slots)
    active = torch.ones(1, slots, dtype=torch.bool)
    contacts = Contacts(row, row, torch.eye(slots)[None], active)
    view = View(torch.stack([row, row], -1).float(), torch.full((1, slots), 60.0), active)
    unsure = torch.full_like(goal, -3.0)
    seconds = []
    for _ in range(warm_up + plans):
        belief = Belief(10 * normal(1, slots, 2) @ dynamics.mT, torch.zeros_like(goal), unsure,
                        unsure)
        began = time.perf_counter()
        plan = planner.plan(belief, preference, active, reachable=active, view=view)
        place(contacts, plan.acceleration, active, size, size)
        seconds.append(time.perf_counter() - began)
    return percentiles(seconds[warm_up:])
