# SPDX-License-Identifier: Apache-2.0
"""Aim: a goal in force, and which of the objects in view it is for, frame by frame."""
from __future__ import annotations

import numpy as np
from torch import Tensor

from obai_ros.planning.assignment import cheapest, Unlikeness
from obai_ros.planning.goal import Goal, Kind
from obai_ros.planning.objects import Objects
from obai_ros.planning.preference import Preference
from obai_ros.planning.recognition import Reading, Recogniser
from obai_ros.planning.tracks import Tracks

# What was seen of a slot counts for so much less with each frame, as a slot may come to hold
# another object.
FADING = 0.8
# What was not seen for so many frames is no longer taken for something in the picture.
FORGOTTEN = 6


class Aim:
    """A goal for every object, and what all goals have in common."""

    def __init__(self, goal: Goal, preference: Preference | None):
        self.goal = goal
        self.preference = preference
        self.places: Tensor | None = None

    @property
    def nothing(self) -> bool:
        return self.goal.kind == Kind.NONE

    def supersedes(self, other: Aim) -> bool:
        """Tell whether nothing of the other goal stays in force."""
        return self.goal.kind in (Kind.NONE, Kind.ALL)

    def renumber(self) -> bool:
        """Note that slots hold other objects; return whether the goal lives on."""
        return True

    def over(self, tracks: Tracks) -> bool:
        """Tell whether it is about an object that is not followed any more."""
        return False

    def claims(self, objects: Objects, reading: Reading
               ) -> tuple[np.ndarray, np.ndarray | None]:
        """
        Return [J]: for each object which preference is for it, -1 for none; and how likely so.

        reading: of the objects' traits. How likely [J]: evidence, nats; None where there is no
        doubt.
        """
        return np.zeros_like(objects.number), None


class ObjectAim(Aim):
    def __init__(self, goal, preference, number: int):
        super().__init__(goal, preference)
        self.number = number

    def supersedes(self, other):
        return isinstance(other, ObjectAim) and other.number == self.number

    def renumber(self):
        return False

    def over(self, tracks):
        return not tracks.follows(self.number)

    def claims(self, objects, reading):
        return np.where(objects.number == self.number, 0, -1), None


class ClassAim(Aim):
    def __init__(self, goal, preference, recogniser: Recogniser):
        super().__init__(goal, preference)
        self._recogniser = recogniser
        self._evidence = self._number = None

    def supersedes(self, other):
        return isinstance(other, ClassAim) and other.goal.object_class == self.goal.object_class

    def renumber(self):
        self._evidence = self._number = None
        return True

    def claims(self, objects, reading):
        odds, remembered = self._recogniser.log_odds(reading, self.goal.object_class).cpu().numpy()
        weight = objects.weight()
        if self._evidence is None:
            self._evidence, self._number = np.zeros_like(weight), objects.number
        before = np.where(objects.number == self._number, self._evidence, 0.0)
        self._number = objects.number
        # What is not seen says nothing, even about the class of all, which is certain.
        seen = np.where(weight > 0, odds, 0.0) * weight
        self._evidence = seen + FADING ** weight * before
        evidence = self._evidence + np.where(objects.number > 0, remembered, 0.0)
        return np.where(evidence > 0, 0, -1), evidence


class PictureAim(Aim):
    def __init__(self, goal, preference, unlike: Unlikeness):
        super().__init__(goal, preference)
        self._unlike = unlike
        self._wanted = goal.scene.traits[goal.scene.shown()]
        self.renumber()

    def supersedes(self, other):
        return isinstance(other, PictureAim)

    def renumber(self):
        self._cost = self._looks = self._number = None
        return True

    def claims(self, objects, reading):
        cost = self._unlike(objects.traits[0], self._wanted).cpu().numpy()
        if self._cost is None:
            self._cost, self._number = np.zeros_like(cost), objects.number
            self._looks = np.zeros_like(cost[:, :1])
        weight = objects.weight()[:, None]
        known = (objects.number == self._number)[:, None] * FADING ** weight
        self._cost = weight * cost + known * self._cost
        self._looks = weight + known * self._looks
        self._number = objects.number
        present = np.flatnonzero(objects.unseen < FORGOTTEN)
        counterpart = np.full(len(objects.number), -1)
        # On average: who was looked at more often is no more unlike for that. Of whom hardly
        # anything showed so far, that counts.
        average = np.divide(self._cost, self._looks, out=cost, where=self._looks > 0)
        counterpart[present] = cheapest(average[present].tolist())
        return counterpart, None
