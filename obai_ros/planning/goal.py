# SPDX-License-Identifier: Apache-2.0
"""Goals as people say or show them, and what is seen of a scene when they are said."""
from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from obai_ros.model.belief import Belief
from obai_ros.model.percept import Percept
from obai_ros.planning.occlusion import free_to_see


class Kind(IntEnum):
    """Which objects a goal is about; the numbers are those of Goal.msg."""

    NONE = 0
    """Nothing is pushed."""
    ALL = 1
    """Every object to (x, y)."""
    OBJECT = 2
    """The object now at (u, v) to (x, y)."""
    CLASS = 3
    """Every object of a class to (x, y)."""
    IMAGE = 4
    """Every object to where it is in a picture."""


# A point on an object may be so many radii of its disc from its middle: objects are no discs.
NEAR_ENOUGH = 1.5
# A slot that covers more of the image than this holds a part of the background, not an object.
LARGEST = 0.3


@dataclass(frozen=True)
class ObjectClass:
    """A class of objects. shape: its name; colour: (red, green, blue) in [0, 1]; size_range:
    (least, greatest) px; None: any.
    """

    shape: str | None = None
    colour: tuple[float, float, float] | None = None
    size_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Sight:
    """
    One scene as K slots see it.

    belief: fields [K, N]; centre [K, 2] px and mass [K] px of what shows of each; traits [K, A]:
    what it looks like, see `model.traits`; objects [K] bool: slots that show an object, neither
    empty nor the background; labels [H, W] uint8: k + 1 where slot k is seen, 0 for the
    background, 255 where nobody knows.
    """

    belief: Belief
    centre: Tensor
    mass: Tensor
    traits: Tensor
    objects: Tensor
    labels: Tensor

    @staticmethod
    def of(percept: Percept) -> list[Sight]:
        """Return what is seen in each of the frames of a percept."""
        objects = show_objects(percept.empty, percept.mass, percept.background,
                               percept.labels[0].numel())
        labels = percept.labels
        return [Sight(percept.belief[b], percept.centroid[b], percept.mass[b], percept.traits[b],
                      objects[b], labels[b])
                for b in range(len(objects))]

    def shown(self) -> Tensor:
        """Return the slots [P] int64 that show an object."""
        return self.objects.nonzero().squeeze(1)

    def whole(self) -> Tensor:
        """Return [K] bool: slots that show an object of which nothing is hidden."""
        return torch.from_numpy(free_to_see(self.labels.cpu().numpy(), self.objects.cpu().numpy())
                                ).to(self.objects.device)


@dataclass(frozen=True)
class Goal:
    """
    A request.

    (x, y) px: where to. spread: standard deviation of the preferred position, px, 0 for the
    default. OBJECT: (u, v) px, a point on it. CLASS: object_class. IMAGE: scene, what is seen in
    the picture; partial: also if the picture shows another number of objects than are in view.
    also: the goals before stay in force for the objects that this one is not about.
    """

    kind: int = Kind.NONE
    x: float = 0.0
    y: float = 0.0
    u: float = 0.0
    v: float = 0.0
    spread: float = 0.0
    object_class: ObjectClass = ObjectClass()
    scene: Sight | None = None
    partial: bool = False
    also: bool = False

    @property
    def needs_sight(self) -> bool:
        """Whether it is about objects that must be in view when it is said."""
        return self.kind in (Kind.OBJECT, Kind.IMAGE)


def show_objects(empty: Tensor, mass: Tensor, background: Tensor, pixels: int) -> Tensor:
    """
    Return [..., K] bool: which slots show an object.

    empty [..., K] bool: those that explain nothing; mass [..., K] px; background [...] int64: the
    slot behind all others; pixels: of an image.
    """
    objects = ~empty & (mass < LARGEST * pixels)
    return objects.scatter(-1, background[..., None], False)


def pointed_at(sight: Sight, u: float, v: float) -> int | None:
    """
    Return the slot of the object at (u, v) px, None if no object shows there.

    The one whose disc, of its visible mass, the point lies in most centrally, or nearly in.
    """
    radius = (sight.mass / torch.pi).clamp(min=1.0).sqrt()
    away = (sight.centre - sight.centre.new_tensor((u, v))).norm(dim=-1) / radius
    away = away.masked_fill(~sight.objects, torch.inf)
    nearest = int(away.argmin())
    return nearest if away[nearest] < NEAR_ENOUGH else None
