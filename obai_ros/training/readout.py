# SPDX-License-Identifier: Apache-2.0
"""Does the latent space hold what planning needs? A linear read-out of position tells."""
from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.model.obai import Obai
from obai_ros.model.percept import Percept
from obai_ros.training.matching import matched_slots

MIN_VISIBLE = 20
"""Objects with fewer visible pixels are left out."""
MIN_OBJECTS = 64
"""With fewer matched objects than this nothing is fitted."""


class Readout:
    """Collects beliefs of matched slots and the true centres of what they hold."""

    def __init__(self):
        self.states: list[Tensor] = []
        self.centres: list[Tensor] = []
        self.visible = 0

    def add(self, percept: Percept, labels: Tensor) -> None:
        """
        Add B frames.

        labels: [B, H, W], 0 = background. The centre of an object is that of its visible pixels:
        what there is to see.
        """
        objects = int(labels.max())
        if objects == 0:
            return
        slot, _ = matched_slots(percept.masks, labels, objects, percept.background)
        centre, pixels = centres(labels, objects)
        present = pixels >= MIN_VISIBLE
        chosen = present & (slot >= 0)
        mean = percept.belief.mean.gather(
            1, slot.clamp(min=0)[..., None].expand(-1, -1, percept.belief.mean.shape[-1]))
        self.states.append(mean[chosen].cpu().double())
        self.centres.append(centre[chosen].cpu().double())
        self.visible += int(present.sum())

    def fit(self, model: Obai) -> dict:
        """
        Fit position = s W + b on every other object and test on the rest.

        Returns the number of objects matched, the share of visible objects found (IoU > 0.5), R2
        of x and of y and the root mean square error (px) of the test half, and W' D, the change of
        position per px/frame^2 according to the model, [[xx, xy], [yx, yy]], which should be the
        identity. Planning is linear in the state: it cannot be better than these figures.
        """
        count = sum(len(states) for states in self.states)
        found = count / max(self.visible, 1)
        if count < MIN_OBJECTS:
            return {'objects': 0, 'found': found}
        states, centre = torch.cat(self.states), torch.cat(self.centres)
        design = torch.cat([states, torch.ones(len(states), 1).double()], 1)
        # gelsd copes with states in which some dimension does not vary; the default does not.
        weights = torch.linalg.lstsq(design[::2], centre[::2], driver='gelsd').solution
        error = design[1::2] @ weights - centre[1::2]
        spread = centre[1::2] - centre[1::2].mean(0)
        explained = 1.0 - error.square().sum(0) / spread.square().sum(0)
        effect = weights[:-1].t() @ model.dynamics.D.detach().cpu().double()
        return {'objects': count, 'found': found,
                'r2': [round(value, 4) for value in explained.tolist()],
                'rmse_px': float(error.square().mean().sqrt()),
                'effect_of_D': [[round(value, 3) for value in row] for row in effect.tolist()]}


def centres(labels: Tensor, num_objects: int) -> tuple[Tensor, Tensor]:
    """Return the centre (x, y) [B, O, 2] and the number [B, O] of each object's visible pixels."""
    number = torch.arange(1, num_objects + 1, device=labels.device)
    masks = (labels[:, None] == number[:, None, None]).float()
    x = torch.arange(labels.shape[2], device=labels.device) + 0.5
    y = torch.arange(labels.shape[1], device=labels.device) + 0.5
    pixels = masks.sum((-1, -2))
    centre = torch.stack([masks.sum(-2) @ x, masks.sum(-1) @ y], -1)
    return centre / pixels.clamp(min=1.0)[..., None], pixels
