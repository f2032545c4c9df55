# SPDX-License-Identifier: Apache-2.0
"""What a user gets per frame: beliefs turned into masks, colours and a few facts per slot."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obai_ros.model.belief import Belief
from obai_ros.model.contact import Contacts, contacts
from obai_ros.model.likelihood import mixture
from obai_ros.model.obai import Obai
from obai_ros.model.pixels import as_image, in_a_row
from obai_ros.model.traits import traits

UNLABELLED = 255
"""Label of pixels that no slot explains with confidence."""


@dataclass(frozen=True)
class Description:
    """
    What K slots look like in B frames; pixel coordinates (x right, y down) as in
    `environment.Scene`.

    masks: [B, K, H, W], mhat, sums to one over K: where slots say that they are. appearance:
    [B, K, 3, H, W] in [0, 1].
    assignment: [B, K, H, W], sums to one over K: which slot each pixel of the image belongs to,
    the posterior mhat_k N_k / sum of eq. 1-4; the masks where there is no image to compare with.
    mass: [B, K], px: sum of the assignment. centroid: [B, K, 2], px: (x, y) of its centre.
    traits: [B, K, A]: colour, size and outline of what is seen, see `model.traits`.
    background: [B] int64: the slot with the largest mass on the image's border.
    empty: [B, K] bool: the slot is not the background, and is the best explanation of fewer
    than `MIN_PIXELS` px, of a line (see `is_rim`), of what looks like the ground beside it (see
    `contrast`), or of what others explain as well (see `worth`).
    labels: [B, H, W] uint8: what the assignment says of each pixel, see `label`.
    contact_row, contact_col, contact_probability, reachable: see `contact.Contacts`.
    """

    appearance: Tensor
    masks: Tensor
    assignment: Tensor
    mass: Tensor
    centroid: Tensor
    traits: Tensor
    background: Tensor
    empty: Tensor
    labels: Tensor
    contact_row: Tensor
    contact_col: Tensor
    contact_probability: Tensor
    reachable: Tensor

    @property
    def contacts(self) -> Contacts:
        """Where each slot may be pushed."""
        return Contacts(self.contact_row, self.contact_col, self.contact_probability,
                        self.reachable, self.background)


@dataclass(frozen=True)
class Percept(Description):
    """
    B frames as K slots see them: how they look, and what else is known of them.

    belief: q(s, s'), fields [B, K, N].
    entropy: [B, K], nats: H(q) of the slot's state. slot_free_energy: [B, K], nats: the slot's
    share of what the frame costs, see `model.free_energy.FreeEnergy`, with the beliefs that its
    last refinement began with.
    iterations: refinements that were spent on this frame. jumped: [B] bool: the free energy was
    far above that of the frame before. renewed: [B] bool: a second look gave a better
    explanation, whose slots are matched to those before by place.
    """

    belief: Belief
    entropy: Tensor
    slot_free_energy: Tensor
    iterations: int
    jumped: Tensor
    renewed: Tensor

    @property
    def free_energy(self) -> Tensor:
        """Return [B]: the frame's free energy, nats."""
        return self.slot_free_energy.sum(-1)

    def reconstruction(self) -> Tensor:
        """Return [B, 3, H, W]: the soft composite sum_k mhat_k g_k."""
        return (self.masks[:, :, None] * self.appearance).sum(1)

    def hard_reconstruction(self) -> Tensor:
        """Return [B, 3, H, W]: each pixel in the colour of its most probable slot."""
        winner = self.masks.argmax(1)[:, None, None].expand(-1, 1, 3, -1, -1)
        return self.appearance.gather(1, winner)[:, 0]


TINY = 1e-30
"""Share of a pixel that is still somebody's."""

LEAST_SHARE = 1e-6
"""Of a pixel: what others have of it counts as no less when a slot is thought away."""

MIN_PIXELS = 4
"""A slot that wins fewer pixels than this explains nothing that could be pointed at."""

WORTH = 5.0
"""Nats: a slot that is worth less than this explains nothing that others do not."""

CONTRAST = 0.03
"""Of the range of colours, 0..1: what differs by less from the ground beside it is part of it.
Objects of the simulator differ by .2 and more."""

ACROSS = 2
"""px: how far apart colours inside and outside of an outline are compared; lenses blur."""


@torch.no_grad()
def perceive(model: Obai, belief: Belief, image: Tensor | None = None,
             free_energy: Tensor | None = None, iterations: int = 0,
             jumped: Tensor | None = None, renewed: Tensor | None = None,
             described: Description | None = None) -> Percept:
    """
    Decode the means of beliefs [B, K, N] and describe the slots.

    image: [B, 3, H, W] in [0, 1], which they are about; None: nobody has seen it. free_energy:
    [B, K] nats, by slot, passed on; zeros when unknown. iterations, jumped, renewed: passed on;
    None: nowhere. described: what `describe` says, if an engine has said it already.
    """
    if described is None:
        described = describe(model, belief.mean, image)
    if free_energy is None:
        free_energy = torch.zeros_like(described.mass)
    nowhere = torch.zeros_like(described.background, dtype=torch.bool)
    return Percept(belief=belief, **vars(described), entropy=belief.entropy(),
                   slot_free_energy=free_energy, iterations=iterations,
                   jumped=nowhere if jumped is None else jumped,
                   renewed=nowhere if renewed is None else renewed)


@torch.no_grad()
def describe(model: Obai, mean: Tensor, image: Tensor | None = None) -> Description:
    """Decode means [B, K, N] and say how slots look; image: as in `perceive`."""
    output = model.decode(mean)
    if image is None:
        appearance = as_image(torch.sigmoid(output[:, :, :3]))
        masks = as_image(torch.softmax(output[:, :, 3], 1))
        return describe_planes(appearance, masks, masks, (masks[:, :, None] * appearance).sum(1))
    seen = mixture(output, in_a_row(image), model.config.sigma_o)
    return describe_planes(as_image(seen.colour), as_image(seen.mask[:, :, 0]),
                           as_image(seen.responsibility[:, :, 0]), image)


def describe_planes(appearance: Tensor, masks: Tensor, assignment: Tensor, shown: Tensor
                    ) -> Description:
    """Return what follows from the first three; shown: the image or its likeness [B, 3, H, W]."""
    mass, centroid = moments(assignment)
    background = border_mass(assignment, mass).argmax(1)
    # Cheaper than to ask each pixel for its winner.
    won = assignment == assignment.amax(1, keepdim=True)
    idle = (won.sum((-1, -2)) < MIN_PIXELS) | is_rim(won)
    if assignment is not masks:
        idle = idle | (worth(masks, assignment) < WORTH)
        idle = idle | (contrast(won, background, shown) < CONTRAST)
    slots = torch.arange(masks.shape[1], device=masks.device)
    empty = idle & (slots != background[:, None])
    touch = contacts(assignment, background)
    return Description(appearance, masks, assignment, mass, centroid,
                       traits(assignment, shown, mass, centroid), background, empty,
                       label(assignment, background, empty), touch.row, touch.col,
                       touch.probability, touch.reachable)


def is_rim(won: Tensor) -> Tensor:
    """
    Return [B, K] bool: slots whose pixels, won [B, K, H, W] bool, are a line and no more.

    Where a camera's image is made smaller, pixels along an outline are part object and part
    ground, in a colour of their own, which a spare slot takes up. Of what is 2 px thick every
    other pixel is in the corner of a square of four, of a line few are.
    """
    pairs = won[..., 1:] & won[..., :-1]
    squares = pairs[..., 1:, :] & pairs[..., :-1, :]
    return 4 * squares.sum((-1, -2)) < won.sum((-1, -2))


def contrast(won: Tensor, background: Tensor, image: Tensor) -> Tensor:
    """
    Return [B, K]: by how much the colour changes from a slot's pixels to the ground beside them.

    won: [B, K, H, W] bool; background: [B] int64; image: [B, 3, H, W] in [0, 1]. The average
    change, in the channel and on the side (left, right, top, bottom) where it is the largest:
    noise averages out, and of light that falls off along the image next to nothing is left;
    infinite for what has no ground beside it. On a ground of a colour that a model has not
    learned, or that is shaded, its spare slots help to paint it.
    """
    won = won.to(image.dtype)
    ground = won.gather(1, background[:, None, None, None].expand_as(won[:, :1]))
    changes, counts = [], []
    for across in (-1, -2):
        length = image.shape[across] - ACROSS
        before, after, ground_before, ground_after = (
            each.narrow(across, begin, length) for each in (won, ground)
            for begin in (0, ACROSS))
        step = image.narrow(across, ACROSS, length) - image.narrow(across, 0, length)
        edge = torch.stack([before * ground_after, after * ground_before], 1).flatten(3)
        counts.append(edge.sum(-1))                                             # [B, 2, K]
        changes.append((edge @ step.flatten(2).mT[:, None]).abs().amax(-1))
    count = torch.cat(counts, 1)
    change = (torch.cat(changes, 1) / count.clamp(min=1.0)).amax(1)
    return change.masked_fill(count.sum(1) == 0, torch.inf)


def worth(masks: Tensor, assignment: Tensor) -> Tensor:
    """
    Return [B, K], nats: by how much less likely the image would be without the slot.

    Without slot k the others share its part of each pixel, so that log p(o_i) falls by
    log (1 - mhat_ik) - log (1 - r_ik), r the assignment. A slot that draws what is there anyway,
    say a grey object on grey ground, is worth nothing.
    """
    alone, unexplained = ((1.0 - share).clamp(min=LEAST_SHARE) for share in (masks, assignment))
    return (alone.log() - unexplained.log()).sum((-1, -2))


def label(assignment: Tensor, background: Tensor, empty: Tensor, threshold: float = 0.5
          ) -> Tensor:
    """
    Return [B, H, W] uint8: 0 = background slot, k + 1 = slot k, UNLABELLED: unlabelled.

    Pixels of slots that are empty [B, K] go to whoever would explain them otherwise. A pixel is
    unlabelled where even its most probable slot has less than `threshold`.
    """
    share = assignment.masked_fill(empty[..., None, None], 0.0)
    probability, winner = (share / share.sum(1, keepdim=True).clamp(min=TINY)).max(1)
    labels = torch.where(winner == background[:, None, None], 0, winner + 1)
    return torch.where(probability < threshold, UNLABELLED, labels).to(torch.uint8)


def moments(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return mass [B, K] and centroid (x, y) [B, K, 2] of masks [B, K, H, W], px."""
    height, width = masks.shape[-2:]
    x = torch.arange(width, dtype=masks.dtype, device=masks.device) + 0.5
    y = torch.arange(height, dtype=masks.dtype, device=masks.device) + 0.5
    mass = masks.sum((-1, -2))
    safe = mass.clamp(min=1e-6)
    centroid = torch.stack([(masks.sum(-2) @ x) / safe, (masks.sum(-1) @ y) / safe], -1)
    return mass, centroid


def border_mass(masks: Tensor, mass: Tensor) -> Tensor:
    """Return [B, K]: of the mass of masks [B, K, H, W], what is on the outermost pixels, px."""
    return mass - masks[..., 1:-1, 1:-1].sum((-1, -2))
