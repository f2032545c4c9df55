# SPDX-License-Identifier: Apache-2.0
"""Tracks: which slot holds which object from frame to frame, where it is and how fast."""
from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
import torch
from torch import Tensor

from obai_ros.model.traits import TRAITS
from obai_ros.planning.appearance import Appearance, Shown
from obai_ros.planning.goal import Sight
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.objects import Objects
from obai_ros.planning.occlusion import touching
from obai_ros.planning.parts import gather_parts
from obai_ros.planning.silhouette import Evidence, find, reach, remember, Silhouette

# px. The middle of a mask that shows whole, about the object's place, from one frame to the next.
PLACE_SD = 0.4
# By how much more when part of the mask is missing, or too much is in it: radii for each factor e
# of the mass, and at most.
HIDDEN_SD, MOST_HIDDEN_SD = 1.0, 0.8
# px, at least, and in errors of the bank's read-out: by how much beliefs about objects a part of
# which is hidden are off, once their usual error about an object is known.
BELIEF_SD, BELIEF_ERRORS = 1.0, 1.5
# Traits that are colour, and the least error they are seen with.
COLOURS, LEAST_COLOUR_SD = 3, 0.05
# px/frame. What velocities of latents are off by, of an object that is seen for the first time.
VELOCITY_SD = 2.5
# px/frame^2. What changes a velocity from one frame to the next beside the pushes that are known,
# and the share of a push that it may be off by.
DRIFT_SD, PUSH_ERROR = 0.1, 0.1
# chi^2 of the two numbers of a place that 99 % stay below: an object further off has been thrown
# off its course by something that is not known.
THROWN = 9.2
# chi^2 of the three numbers of a colour that 99.9 % stay below: what is more unlike is another.
OTHER = 16.3
# Share of the newest look in the average; the same of the mass of an object that shows whole,
# and that of one that may not.
NEWEST, NEWEST_MASS = 0.2, 0.1

# How much less the middle of what shows and the belief count where a silhouette is laid on the
# same pixels: they say where to look for it.
VAGUE = 4.0

# Frames after which nobody knows any more where objects are that were not seen.
LONGEST_GAP = 30


class Tracks:
    """
    Follows objects through the slots that hold them.

    A filter may put an object into another slot, share it out to two, lose it for a while, or
    find another in its slot. Objects are known again by where they must be and by their colour,
    give or take the error that it is seen with in `bank`.
    Place and velocity are filtered (Kalman): an object moves by the pushes it got and by nothing
    else. The middle of its pixels says where it is while it shows whole. Then its silhouette is
    remembered, and found again in what shows of it when it is partly hidden (`silhouette`):
    objects neither turn nor change. Of one that never showed whole the silhouette is put together
    from what has been seen of it, and where its middle is in that is told by what its slot
    believes, read off by `bank`, and by the middle of what shows, on average over all looks.

    There are twice as many tracks as slots; when all are in use, a new object takes the place of
    the one that was not seen for longest. dynamics: D [N, 2]; height, width: of the image, px.
    """

    def __init__(self, bank: GoalBank, dynamics: Tensor, height: int, width: int):
        error = (bank.traits[:, :COLOURS] - bank.colour).square().mean(0).sqrt()
        self._colour_sd = _array(error.clamp(min=LEAST_COLOUR_SD))
        self._locate = bank.locate
        misread = (bank.locate(bank.mean) - bank.position).square().mean().sqrt()
        self._belief_variance = max(BELIEF_SD, BELIEF_ERRORS * float(misread)) ** 2
        self._read_velocity = _array(torch.linalg.pinv(dynamics)).T
        # What it costs, in the terms of `_assign`, to be somewhere and to look somehow.
        colours = _array(bank.traits[:, :COLOURS]) / self._colour_sd
        # Looks that say nothing, as of a model that has learned nothing, make nothing new.
        self._cost_of_new = (2 * np.log(height * width / (2 * np.pi)) + colours.shape[1]
                             + max(0.0, np.linalg.slogdet(np.cov(colours.T))[1]))
        self._height, self._width = height, width
        self._born = 0
        self._slot = None

    @property
    def begun(self) -> bool:
        """Whether anything was seen."""
        return self._slot is not None

    def object_in(self, slot: int) -> int:
        """Return the number of the object that a slot of the newest sight shows, or a part of."""
        return int(self._number[self._holder[slot]])

    def follows(self, number: int) -> bool:
        """Tell whether the object of that number is followed, seen or not."""
        return self.begun and bool((self._number == number).any())

    def follow(self, sight: Sight, received: np.ndarray | None = None, frames: int = 1
               ) -> Objects:
        """
        Take in the next sight.

        received [K, 2] px/frame^2: by which the slots of the sight before were pushed (None: not
        at all); frames: how many have passed since.
        """
        shown = self._read(sight)
        if not self.begun:
            self._begin(2 * len(shown.mass))
        for frame in range(min(frames, LONGEST_GAP)):
            self._predict(received if frame == 0 else None)
        track = self._assign(shown)
        self._holder = track.copy()
        for group in self._share_out(shown, track):
            known, track[group[0]] = track[group[0]], -1
            slot, appearance = shown.of(group)
            track[slot] = self._found(track, appearance) if known < 0 else known
            self._holder[group] = track[slot]
            self._take_in(track[slot], appearance, new=known < 0)
        self._note_slots(track)
        self._describe(sight, shown, track)
        return self._objects(sight, shown, track)

    def _read(self, sight: Sight) -> Shown:
        """Return what a sight shows, in px and in units of the error of colours."""
        labels, seen = _array(sight.labels), _array(sight.objects)
        return Shown(
            place=_array(sight.centre), believed=_array(self._locate(sight.belief.mean)),
            mass=_array(sight.mass).clip(1.0),
            velocity=_array(sight.belief.velocity) @ self._read_velocity,
            colour=_array(sight.traits[:, :COLOURS]) / self._colour_sd, seen=seen,
            touched=touching(labels, seen), labels=labels)

    def _share_out(self, shown: Shown, track: np.ndarray) -> list[list[int]]:
        """Return the slots of each object in view; a slot that goes on with a track is first."""
        known = np.flatnonzero(track >= 0)
        colour = shown.colour.copy()
        colour[known] = self._colour[track[known]]
        return gather_parts(shown.place, shown.mass, colour, known,
                            np.flatnonzero(shown.seen & (track < 0)))

    def _take_in(self, track: int, appearance: Appearance, new: bool) -> None:
        """Take in how an object shows, and where."""
        if not new:
            where = self._measured(track, appearance.place, appearance.believed, appearance.mass)
            if appearance.whole or not self._fit(track, appearance.evidence, *where):
                self._correct(track, *where, appearance.velocity)
        self._remember(track, appearance)
        self._colour[track] += NEWEST * (appearance.colour - self._colour[track])
        share = NEWEST if appearance.whole else NEWEST_MASS
        self._full[track] += share * (appearance.mass - self._full[track])
        self._unseen[track] = 0
        self._sightings[track] += 1

    def _note_slots(self, track: np.ndarray) -> None:
        """Note which slot shows each object, by the track [K] of each slot."""
        slots = np.flatnonzero(track >= 0)
        self._slot = np.full(len(self._slot), -1)
        self._slot[track[slots]] = slots

    def _objects(self, sight: Sight, showing: Shown, track: np.ndarray) -> Objects:
        def tensor(value):
            return torch.from_numpy(value).to(sight.mass)

        shown = self._slot >= 0
        return Objects(
            number=self._number.copy(), shown=shown, touched=showing.touched[self._slot],
            whole=shown & showing.whole[self._slot], unseen=self._unseen.copy(),
            traits=torch.stack([sight.traits[self._slot], tensor(self._traits)]), track=track,
            place=tensor((self._place + self._offset)[track]),
            velocity=tensor(self._velocity[track]))

    def _begin(self, tracks: int) -> None:
        self._place, self._velocity = np.zeros((tracks, 2)), np.zeros((tracks, 2))
        # Variance of place, covariance, variance of velocity: the same along x and y.
        self._covariance = np.zeros((tracks, 3))
        self._colour, self._full = np.zeros((tracks, COLOURS)), np.ones(tracks)
        self._misread = np.zeros((tracks, 2))
        self._silhouette: list[Silhouette | None] = [None] * tracks
        self._traits = np.zeros((tracks, TRAITS), np.float32)
        # Of objects that never showed whole: where their middle is in their silhouette, as told by
        # so many looks.
        self._offset, self._looks = np.zeros((tracks, 2)), np.zeros(tracks, np.int64)
        self._number = np.zeros(tracks, np.int64)
        self._sightings = np.zeros(tracks, np.int64)
        self._unseen = np.full(tracks, np.iinfo(np.int32).max, np.int64)
        self._slot = np.full(tracks, -1)

    def _describe(self, sight: Sight, shown: Shown, track: np.ndarray) -> None:
        """Note what objects look like: as they do now if whole, else as is remembered."""
        slots = np.flatnonzero(track >= 0)
        tracks = track[slots]
        self._traits[tracks, :COLOURS] = self._colour[tracks] * self._colour_sd
        plain = shown.whole[slots]
        self._traits[tracks[plain], COLOURS:] = _array(sight.traits)[slots[plain], COLOURS:]
        for track in tracks[~plain]:
            self._traits[track, COLOURS:] = self._silhouette[track].form

    def _predict(self, received: np.ndarray | None) -> None:
        """Let one frame pass."""
        push = np.zeros_like(self._place)
        if received is not None:
            held = self._slot >= 0
            push[held] = received[self._slot[held]]
        self._velocity = self._velocity + push
        self._place = self._place + self._velocity
        noise = DRIFT_SD ** 2 + PUSH_ERROR ** 2 / 2 * (push * push).sum(-1)
        covariance = self._covariance
        covariance[:, 0] += 2 * covariance[:, 1] + covariance[:, 2] + noise
        covariance[:, 1] += covariance[:, 2] + noise
        covariance[:, 2] += noise
        self._unseen += 1

    def _assign(self, shown: Shown) -> np.ndarray:
        """Return for each slot the track [K] that goes on in it, -1 for none."""
        track = np.full(len(shown.seen), -1)
        alive, slots = np.flatnonzero(self._number), np.flatnonzero(shown.seen)
        if not len(alive) or not len(slots):
            return track
        where, variance = self._measured(alive[:, None], shown.place[slots],
                                         shown.believed[slots], shown.mass[slots])
        off = np.square(where - (self._place + self._offset)[alive, None]).sum(-1)
        spread = self._covariance[alive, None, 0] + variance
        unlike = np.square(shown.colour[slots] - self._colour[alive, None]).sum(-1)
        cost = np.minimum(off / spread, THROWN) + 2 * np.log(spread) + unlike
        # Each slot may as well show something new, and must if it looks like nothing before.
        cost = np.where(unlike < OTHER, cost, np.inf)
        new = np.full((len(slots), len(slots)), self._cost_of_new)
        row, column = linear_sum_assignment(np.concatenate([cost, new]))
        old = row < len(alive)
        track[slots[column[old]]] = alive[row[old]]
        return track

    def _measured(self, track, place, believed, mass) -> tuple[np.ndarray, np.ndarray]:
        """
        Return where objects are, px, and the variance of that, px^2.

        From the middle of a mask, and what is believed, by how sure each is of the other's part.
        """
        radius = np.sqrt(self._full[track] / np.pi)
        lost = np.minimum(HIDDEN_SD * np.abs(np.log(mass / self._full[track])), MOST_HIDDEN_SD)
        by_mask = np.square(PLACE_SD + lost * radius)
        return self._weigh(by_mask, place, believed - self._misread[track])

    def _weigh(self, variance, place, believed) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of a place of that variance and one that is believed, and its own."""
        share = np.asarray(variance / (variance + self._belief_variance))
        return place + share[..., None] * (believed - place), share * self._belief_variance

    def _found(self, taken: np.ndarray, appearance: Appearance) -> int:
        """Return the track of a new object; one that was not seen for longest ends for it."""
        free = np.setdiff1d(np.arange(len(self._unseen)), taken)
        track = int(free[self._unseen[free].argmax()])
        self._born += 1
        self._misread[track], self._silhouette[track] = 0.0, None
        self._offset[track], self._looks[track] = 0.0, 0
        self._sightings[track] = 0
        self._number[track] = self._born
        self._colour[track], self._full[track] = appearance.colour, appearance.mass
        self._restart(track, appearance.place, appearance.velocity)
        return track

    def _restart(self, track: int, place, velocity) -> None:
        self._place[track], self._velocity[track] = place, velocity
        self._covariance[track] = PLACE_SD ** 2, 0.0, VELOCITY_SD ** 2

    def _correct(self, track: int, place, variance, velocity) -> None:
        """Take in where an object shows, and give or take what, unless its silhouette can tell."""
        if self._looks[track]:
            self._place[track] += self._offset[track]
            self._covariance[track, 0] += self._belief_variance
            self._silhouette[track], self._looks[track], self._offset[track] = None, 0, 0.0
        xx = self._covariance[track, 0]
        total = xx + variance
        surprise = place - self._place[track]
        if surprise @ surprise > THROWN * total:
            if self._sightings[track] == 1:
                # Faster than anyone expected, and the slot had to find it anew: the way that it
                # made is what is known of its velocity.
                velocity = self._velocity[track] + surprise / self._unseen[track]
            self._restart(track, place, velocity)
            return
        self._move(track, self._place[track] + xx / total * surprise, xx - xx * xx / total)

    def _remember(self, track: int, appearance: Appearance) -> None:
        """Take in how an object looks: its outline, or what shows of it, and where it is in it."""
        size, evidence = reach(self._height, self._width), appearance.evidence
        place, believed = appearance.place, appearance.believed
        if appearance.whole:
            if self._looks[track]:  # what was put together from parts is no longer needed
                self._silhouette[track], self._looks[track] = None, 0
            self._misread[track] += NEWEST * (believed - place - self._misread[track])
            self._silhouette[track] = remember(self._silhouette[track], evidence, place, size)
        elif self._silhouette[track] is None or self._looks[track]:
            self._silhouette[track] = remember(
                self._silhouette[track], evidence, self._place[track], size)
            where, _ = self._weigh(np.square(PLACE_SD + appearance.hidden), place, believed)
            self._looks[track] += 1
            self._offset[track] += (where - self._place[track] - self._offset[track]
                                    ) / self._looks[track]

    def _fit(self, track: int, evidence: Evidence, place, variance) -> bool:
        """Take in where what shows of an object fits its silhouette; False if it does not tell."""
        xx = self._covariance[track, 0]
        gain = xx / (xx + VAGUE * variance)
        expected = self._place[track] + gain * (place - self._offset[track] - self._place[track])
        found = find(self._silhouette[track], evidence, expected, xx - gain * xx)
        if found is None:
            return False
        self._move(track, found[0], min(found[1], self._covariance[track, 0]))
        return True

    def _move(self, track: int, place, variance: float) -> None:
        """Take in that an object is at `place`, all things considered, give or take `variance`."""
        xx, xv, vv = self._covariance[track]
        gain = xv / xx
        self._velocity[track] += gain * (place - self._place[track])
        self._place[track] = place
        self._covariance[track] = variance, gain * variance, vv - gain * (xv - gain * variance)


def _array(value: Tensor) -> np.ndarray:
    return value.detach().cpu().numpy()
