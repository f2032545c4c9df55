# SPDX-License-Identifier: Apache-2.0
"""
Births: objects that no slot explains are given one.

Beyond the paper. Slots find their objects by chance, and now and then two share one, or the
background, and another object is left out. No refinement mends that: it is a local optimum of the
free energy. A birth is a move out of it, as in sampling over mixtures of unknown size (P. Green,
"Reversible jump Markov chain Monte Carlo computation", Biometrika 82, 1995), proposed by what is
seen (Z. Tu and S. Zhu, "Image segmentation by data-driven Markov chain Monte Carlo", PAMI 24,
2002): the slot that can best be done without lets go of what it holds and believes what `proposal`
says about the patch that most needs explaining; it is kept if the free energy is lower after some
refinements.
"""
from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from obai_ros.model.engine import Engine
from obai_ros.model.free_energy import evaluate
from obai_ros.model.likelihood import mixture
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.patch import unexplained_patch
from obai_ros.model.pixels import as_image
from obai_ros.model.proposal import can_propose, features_of, propose
from obai_ros.model.window import put, select, Window

REFINEMENTS = 8
"""Refinements after which a birth is judged."""

MARGIN = 2.0
"""Nats by which it has to be better; of sampled beliefs the free energy is known no better."""

WORTHWHILE = 5.0
"""Nats: a patch that costs less is not worth a slot."""


@torch.no_grad()
def give_birth(model: Obai, window: Window, births: int, noise: Noise, engine: Engine
               ) -> tuple[Window, Tensor]:
    """
    Return a window of one frame after up to so many births, and its free energy by slot.

    window: refined, without past. engine: what refines. The free energy is
    [B, K], nats. In a sequence whose birth was refused no other is tried. A model whose table of
    proposals was never fitted has no births.
    """
    energy = evaluate(model, window, noise).free_energy.of_slots[:, -1]
    fertile = torch.arange(window.batch, device=window.packed.device)
    for _ in range(births if can_propose(model) else 0):
        if not len(fertile):
            break
        bearing, sketched = _sketches(model, window[fertile])
        fertile = fertile[bearing]
        if not len(fertile):
            break
        mother, luck = window[fertile], noise[fertile]
        start = replace(mother, packed=sketched, hidden=torch.zeros_like(mother.hidden),
                        cell=torch.zeros_like(mother.cell))
        child, _ = engine.refine(model, start, REFINEMENTS, luck)
        cost = evaluate(model, child, luck).free_energy.of_slots[:, -1]
        alive = cost.sum(-1) < energy[fertile].sum(-1) - MARGIN
        window = put(window, fertile, select(alive, child, mother))
        energy = energy.index_copy(
            0, fertile, torch.where(alive[:, None], cost, energy[fertile]))
        fertile = fertile[alive]
    return window, energy


def _sketches(model: Obai, window: Window) -> tuple[Tensor, Tensor]:
    """
    Return index [P] int64 of the sequences where something is worth a slot, and lambda for them.

    lambda: [P, 1, K, 4N], in which one slot holds what is proposed.
    """
    config, image = model.config, window.images[:, 0]
    output = model.decode(window.belief.mean[:, 0])
    seen = mixture(output, image, config.sigma_o)
    owner = as_image(seen.claims(image, config.sigma_o).argmax(1).to(torch.int32))
    pixels = as_image(image)
    patches = {}
    for index, (one, slots) in enumerate(zip(pixels.cpu().numpy(), owner[:, 0].cpu().numpy())):
        patch = unexplained_patch(one, slots, config.sigma_o)
        if patch is not None and patch.cost > WORTHWHILE:
            patches[index] = patch
    index = torch.tensor(list(patches), dtype=torch.long, device=image.device)
    packed = window.packed[index]
    if not patches:
        return index, packed
    proposed = propose(model, torch.stack([
        features_of(torch.from_numpy(patch.centre), torch.tensor(patch.mass),
                    torch.from_numpy(patch.colour), config.image_size)
        for patch in patches.values()]).to(packed))
    newborn = model.decode(proposed[..., :config.latent_size])
    costs = []
    for slot in range(config.num_slots):
        others = output[index]
        others[:, slot] = newborn
        costs.append(mixture(others, image[index], config.sigma_o).negative_log_likelihood())
    slot = torch.stack(costs).argmin(0)
    packed = packed.clone()
    packed[torch.arange(len(index), device=index.device), 0, slot] = proposed
    return index, packed
