# SPDX-License-Identifier: Apache-2.0
"""Pursuit: the goals in force, which slots they are about, and what these prefer for it."""
from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
import torch
from torch import Tensor

from obai_ros.model.belief import Belief
from obai_ros.planning.aim import Aim, ClassAim, ObjectAim, PictureAim
from obai_ros.planning.anchor import Anchor
from obai_ros.planning.assignment import require_as_many, Unlikeness
from obai_ros.planning.goal import Goal, Kind, pointed_at, Sight
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.goal_terms import GoalTerms
from obai_ros.planning.planner import Planner
from obai_ros.planning.preference import GoalError, Preference
from obai_ros.planning.recognition import Recogniser
from obai_ros.planning.tracks import Tracks

MOST = 16
"""Goals that are pursued at a time. Each takes part of a millisecond of every frame, and there are
never as many objects in view."""


@dataclass(frozen=True)
class Aims:
    """
    What K slots are to be pushed towards.

    terms: the goal of each slot, [K], any where it has none; None without any goal. active [K]
    bool: who has one. belief [K, N]: to be planned with, that of the sight, anchored to where its
    objects are. place [K, 2] px: where each is wanted, NaN where it has no goal.
    """

    terms: GoalTerms | None
    active: Tensor
    belief: Belief
    place: Tensor


@dataclass(frozen=True)
class _Allotment:
    """
    Who has which goal, and what follows from that alone.

    which: for each of K slots which of all preferences is for it, any where none is; terms,
    anchor: of these [K]; place [K, 2] px: what they are about.
    """

    which: tuple[int, ...]
    terms: GoalTerms
    anchor: Anchor
    place: Tensor


class Pursuit:
    """
    Keeps goals and says what they mean for the slots of a model, frame by frame.

    bank: the model's GoalBank, or None with the reason in `bankless`; planner: of the model's
    plans; spread: default sd of goals, px; height, width: of the model's image, px.
    """

    def __init__(self, bank: GoalBank | None, bankless: str, planner: Planner, spread: float,
                 height: int, width: int, recogniser: Recogniser | None = None):
        self._bank, self._bankless = bank, bankless
        self._planner, self._dynamics = planner, planner.dynamics
        self._spread = spread
        self._height, self._width = height, width
        self._recogniser = recogniser or (Recogniser(bank) if bank is not None else None)
        self._unlike = bank and Unlikeness(bank)
        self._aims: list[Aim] = []
        self._allotment: _Allotment | None = None  # while goals and planner stay
        self._tracks = self._new_tracks()

    def _new_tracks(self) -> Tracks | None:
        return self._bank and Tracks(self._bank, self._dynamics, self._height, self._width)

    @property
    def goal(self) -> Goal:
        """The goal that was taken last, of those in force."""
        return self._aims[-1].goal if self._aims else Goal()

    def check(self, goal: Goal, spread: float) -> None:
        """
        Raise GoalError when there is no such goal, whatever is in view.

        spread: the default that it would have, px.
        """
        self._prefer(goal, spread)

    def check_spread(self, spread: float) -> None:
        """Raise GoalError when the goals in force cannot do with this default spread, px."""
        self._preferences(spread)

    def choose(self, goal: Goal, sight: Sight | None) -> None:
        """
        Pursue this goal from now on.

        sight: the newest, or None; needed for goals that `needs_sight`. Raises GoalError, and
        keeps the goals before, if the goal cannot be pursued.
        """
        preference = self._prefer(goal, self._spread)
        if goal.needs_sight and sight is not None and not self._tracks.begun:
            self._tracks.follow(sight)
        aim = self._aim(goal, preference, sight)
        if not aim.nothing:
            aim.places = self._places(goal)
        kept = [old for old in self._aims
                if goal.also and not aim.supersedes(old) and not old.over(self._tracks)]
        if len(kept) >= MOST:
            raise GoalError(f'{len(kept)} goals are in force, and no more are pursued at a time: '
                            'a goal without `also` replaces them, one of kind NONE ends them')
        self._aims = kept + ([] if aim.nothing else [aim])
        self._allotment = None

    def set_spread(self, spread: float) -> None:
        """
        Use this default spread, px, for the present goals, too.

        Raises GoalError, and keeps the one before, if one of them cannot do with it.
        """
        preferences = self._preferences(spread)
        self._spread = spread
        for aim, preference in zip(self._aims, preferences):
            aim.preference = preference
        self._allotment = None

    def plan_with(self, planner: Planner) -> None:
        """Prepare for plans by this planner, of the same model, from now on."""
        self._planner = planner
        self._allotment = None

    def renumber(self) -> list[Goal]:
        """
        Note that the filter started anew: slots hold other objects now.

        Return the goals that this ends: those for an object that was pointed at.
        """
        lost = self._give_up([aim for aim in self._aims if not aim.renumber()])
        self._tracks = self._new_tracks()
        return lost

    def give_up(self) -> list[Goal]:
        """
        End the goals for objects that are not followed any more, and return them.

        That is when so many others have come since they were seen that all tracks were needed.
        """
        return self._give_up([aim for aim in self._aims if aim.over(self._tracks)])

    def _give_up(self, lost: list[Aim]) -> list[Goal]:
        if lost:
            self._aims = [aim for aim in self._aims if aim not in lost]
            self._allotment = None
        return [aim.goal for aim in lost]

    def aims(self, sight: Sight, received: np.ndarray | None = None, frames: int = 1) -> Aims:
        """
        Take in the next sight; return what its slots are to be pushed towards.

        received [K, 2] px/frame^2: by which the slots of the last sight were pushed (None: not at
        all); frames: how many have passed since.
        """
        nowhere = torch.full_like(sight.centre, math.nan)
        if self._bank is None:
            return Aims(None, torch.zeros_like(sight.objects), sight.belief, nowhere)
        objects = self._tracks.follow(sight, received, frames)
        reading = self._recogniser.read(objects.traits)
        which = np.full(len(objects.shown), -1)
        strength = np.zeros(len(which))
        offset = 0
        for aim in self._aims:
            choice, claim = aim.claims(objects, reading)
            better = (choice >= 0) & objects.shown
            if claim is None:
                strength = np.where(better, 0.0, strength)
            else:
                # Of classes the likelier one; of any other goals the one asked for last.
                better &= claim >= strength
                strength = np.where(better, claim, strength)
            which = np.where(better, choice + offset, which)
            offset += len(aim.preference.mean)
        which = objects.to_slots(which, -1)
        active = torch.from_numpy(which >= 0).to(sight.objects.device)
        if not self._aims:
            return Aims(None, active, sight.belief, nowhere)
        allotment = self._allot(tuple(which.clip(0).tolist()))
        return Aims(allotment.terms, active,
                    allotment.anchor.hold(sight.belief, objects, active),
                    torch.where(active[:, None], allotment.place, nowhere))

    def _allot(self, which: tuple[int, ...]) -> _Allotment:
        """Give each slot [K] its goal; slots seldom change theirs, which takes time."""
        if self._allotment is None or which != self._allotment.which:
            chosen = list(which)
            preference = Preference.join([aim.preference for aim in self._aims])[chosen]
            places = torch.cat([aim.places for aim in self._aims])[chosen]
            self._allotment = _Allotment(which, self._planner.terms(preference),
                                         Anchor(preference, places, self._dynamics), places)
        return self._allotment

    def _aim(self, goal: Goal, preference: Preference | None, sight: Sight | None) -> Aim:
        """Return what keeps the goal with its objects."""
        if goal.needs_sight and sight is None:
            raise GoalError('no beliefs have arrived yet, so it is not known which objects are '
                            'there; ask again once perception runs')
        if goal.kind == Kind.OBJECT:
            slot = pointed_at(sight, goal.u, goal.v)
            if slot is None:
                raise GoalError(f'no object shows at ({goal.u:g}, {goal.v:g}) at present, so '
                                'there is none to push')
            return ObjectAim(goal, preference, self._tracks.object_in(slot))
        if goal.kind == Kind.CLASS:
            return ClassAim(goal, preference, self._recogniser)
        if goal.kind == Kind.IMAGE:
            if not goal.partial:
                require_as_many(int(sight.objects.sum()), int(goal.scene.objects.sum()))
            return PictureAim(goal, preference, self._unlike)
        return Aim(goal, preference)

    def _preferences(self, spread: float) -> list[Preference | None]:
        return [self._prefer(aim.goal, spread) for aim in self._aims]

    def _prefer(self, goal: Goal, spread: float) -> Preference | None:
        """Return the P preferences [P] that the goal chooses from; None for no goal."""
        if goal.kind == Kind.NONE:
            return None
        if goal.kind not in list(Kind):
            raise GoalError(f'kind is {goal.kind}, expected '
                            + ', '.join(f'{int(kind)} ({kind.name})' for kind in Kind))
        if goal.kind != Kind.IMAGE:
            self._require_inside('the goal', goal.x, goal.y)
        if goal.kind == Kind.OBJECT:
            self._require_inside('(u, v)', goal.u, goal.v)
        if self._bank is None:
            raise GoalError(self._bankless)
        if not 0 <= goal.spread < math.inf:
            raise GoalError(f'spread is {goal.spread:g}, expected a number of px, 0 or more')
        if goal.kind == Kind.CLASS:
            self._recogniser.learn(goal.object_class)
        # Not restricted to the class: how objects look matters far less than the number of
        # samples that the place of a goal rests on.
        return self._bank.toward(self._places(goal), sd_px=goal.spread or spread)

    def _places(self, goal: Goal) -> Tensor:
        """Return the P places that a goal is about, [P, 2] px."""
        if goal.kind != Kind.IMAGE:
            return self._dynamics.new_tensor([(goal.x, goal.y)])
        scene = goal.scene
        if scene is None:
            raise GoalError('no picture was given: kind 4 needs `image`')
        if not scene.objects.any():
            raise GoalError('no object was found in the goal image, so there is nothing to do')
        shown = scene.shown()
        whole = scene.whole()
        places = torch.where(whole[shown, None], scene.centre[shown],
                             self._bank.locate(scene.belief.mean[shown]))
        return places.clamp(min=0).minimum(places.new_tensor((self._width, self._height)))

    def _require_inside(self, what: str, x: float, y: float) -> None:
        if not (0 <= x <= self._width and 0 <= y <= self._height):
            raise GoalError(f'{what} is ({x:g}, {y:g}), outside the image, which is '
                            f'{self._width} px wide and {self._height} px high')
