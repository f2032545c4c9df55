# SPDX-License-Identifier: Apache-2.0
"""Seconds that a plan takes."""
from __future__ import annotations

import time

import numpy as np
import torch

from obai_ros.benchmark.timing import percentiles
from obai_ros.environment.shapes import SHAPES
from obai_ros.model.belief import Belief
from obai_ros.model.contact import Contacts
from obai_ros.model.traits import TRAITS
from obai_ros.planning.goal import Goal, Kind, Sight
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.occlusion import View
from obai_ros.planning.placement import place
from obai_ros.planning.planner import Planner
from obai_ros.planning.pursuit import Pursuit

SIZE, RADIUS, APART = 64, 7.0, 9.0
"""px: of the image, of the discs in it, and how far each is from the one that hides a part of it.
"""

BANK = 2000
"""Objects in the goal bank; goals are made of it once, before anything is timed."""


def time_planning(slots: int, latent_size: int, plans: int = 500, warm_up: int = 20
                  ) -> dict[str, dict[str, float]]:
    """
    Return milliseconds from the beliefs of one frame to its action field, on the CPU, by stage.

    What planner_node does without its messages: objects are tracked and their goals found
    ('aims'), a plan is made ('plan') and placed ('place'); 'answer' is all of it. Of K - 1 objects
    all but the last are partly hidden by the next, which takes the tracks longest; all are to go
    to one point, and jitter by a pixel.
    """
    generator = torch.Generator().manual_seed(0)
    dynamics = torch.linalg.qr(torch.randn(latent_size, 2, generator=generator))[0] / 10
    planner = Planner(dynamics)
    pursuit = Pursuit(_bank(dynamics, generator), '', planner, 2.0, SIZE, SIZE)
    pursuit.choose(Goal(Kind.ALL, x=SIZE / 2, y=SIZE / 2), None)
    received = None
    seconds = {'answer': [], 'aims': [], 'plan': [], 'place': []}
    for _ in range(warm_up + plans):
        sight = _sight(slots, dynamics, generator)
        column, row = sight.centre.long().unbind(-1)
        contacts = Contacts(row[None], column[None], torch.eye(slots)[None], sight.objects[None])
        began = time.perf_counter()
        aims = pursuit.aims(sight, received)
        aimed = time.perf_counter()
        plan = planner.plan(aims.belief, aims.terms, aims.active, reachable=contacts.reachable[0],
                            view=View(sight.centre, sight.mass, sight.objects))
        planned = time.perf_counter()
        place(contacts, plan.acceleration[None], aims.active[None], SIZE, SIZE)
        placed = time.perf_counter()
        for name, span in (('answer', placed - began), ('aims', aimed - began),
                           ('plan', planned - aimed), ('place', placed - planned)):
            seconds[name].append(span)
        received = np.zeros((slots, 2), np.float32)  # as if they were held where they are
    return {name: percentiles(spans[warm_up:]) for name, spans in seconds.items()}


def _sight(slots: int, dynamics: torch.Tensor, generator: torch.Generator) -> Sight:
    """Return a sight of slots, the first of which is the background."""
    number = torch.arange(slots)
    centre = torch.stack([10.0 + APART * (number % 6), 12.0 + 18.0 * (number // 6)], -1)
    centre = centre + torch.rand(slots, 2, generator=generator)
    pixel = torch.arange(SIZE) + 0.5
    away = ((pixel - centre[:, 0, None]).square()[:, None]
            + (pixel - centre[:, 1, None]).square()[:, :, None])
    inside = (away < RADIUS ** 2) & (number > 0)[:, None, None]
    labels = (inside * (number + 1)[:, None, None]).amax(0).to(torch.uint8)
    shown = torch.stack([(labels == slot + 1).sum() for slot in number]).float()
    mean = centre @ dynamics.mT
    unsure = torch.full_like(mean, -3.0)
    traits = torch.cat([torch.stack([number / slots] * 3, -1), torch.ones(slots, TRAITS - 3)], -1)
    return Sight(Belief(mean, torch.zeros_like(mean), unsure, unsure), centre, shown, traits,
                 number > 0, labels)


def _bank(dynamics: torch.Tensor, generator: torch.Generator) -> GoalBank:
    """Return a bank of a model whose beliefs tell positions along D, and colours."""
    position = SIZE * torch.rand(BANK, 2, generator=generator)
    colour = torch.rand(BANK, 3, generator=generator)
    mean = position @ dynamics.mT + 0.01 * torch.randn(BANK, len(dynamics), generator=generator)
    looks = torch.cat([colour, torch.rand(BANK, TRAITS - 3, generator=generator)], -1)
    zeros = torch.zeros(BANK)
    return GoalBank(position, torch.arange(BANK) % len(SHAPES), colour, zeros + 14.0, zeros, mean,
                    torch.full_like(mean, 0.05), looks, '', (SIZE, SIZE), SHAPES)
