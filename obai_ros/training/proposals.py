# SPDX-License-Identifier: Apache-2.0
"""Learning what to propose for births (`model/proposal.py`), from what a model finds by itself."""
from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from obai_ros.model.inference import begin
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.percept import perceive
from obai_ros.model.proposal import fit
from obai_ros.model.schedule import Schedule


@torch.no_grad()
def learn_proposals(model: Obai, images: Tensor, schedule: Schedule, batch: int = 16
                    ) -> Tensor | None:
    """
    Return a table of proposals for a model, None if it finds too little to learn one from.

    images: [n, 3, H, W] in [0, 1], each looked at once and by itself.
    """
    once = replace(schedule, starts=1, births=0)
    percepts = []
    for start in range(0, len(images), batch):
        part = images[start:start + batch].to(model.device)
        noise = Noise.seeded(range(start, start + len(part)), model.device)
        window, _ = begin(model, part, once, noise)
        percepts.append(perceive(model, window.belief[:, -1], part))
    return fit(percepts)
