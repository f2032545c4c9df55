# SPDX-License-Identifier: Apache-2.0
"""The filter behind the perception node: pictures in, percepts out, one after the other."""

import dataclasses
import time

import numpy as np
import torch

from obai_ros.action_field import ActionField
from obai_ros.messages.beliefs import FARTHEST, LARGEST_LOG_SD
from obai_ros.model.engine import Engine
from obai_ros.model.filter import Filter
from obai_ros.model.pace import Pace
from obai_ros.model.pixels import to_image, to_picture


@dataclasses.dataclass(frozen=True)
class Applied:
    """What was applied to one frame. cut: the next image does not follow from that frame."""

    field: ActionField
    cut: bool = False


class Observer:
    """Runs a model over an endless video.

    checkpoint: a loaded Checkpoint, already on `device`; engine: what refines its beliefs, see
    `model.engines.choice`; iterations, window: None for those it was trained with; starts: how
    often a first frame is begun anew, None for as suits the model; births: how often something
    that no slot explains may then be given one; second_look: every how many frames one is looked
    at afresh, 0 for never; confined: see `Schedule`; seed: of the filter's noise.
    """

    def __init__(self, checkpoint, device, engine: Engine, iterations: int | None,
                 window: int | None, starts: int | None, births: int, second_look: int,
                 confined: bool, seed: int):
        self.model_id = checkpoint.model_id
        self.size = checkpoint.config.image_size
        self.num_slots = checkpoint.config.num_slots
        self.device = device
        self._model = checkpoint.model
        self._schedule = checkpoint.schedule.careful().changed(
            window=window, starts=starts, births=births, second_look=second_look,
            confined=confined)
        self._engine = engine
        self._seed = seed
        self._state = None
        self.spoilt = False
        self._pace = Pace()
        self._effort = None  # what the filter was made for
        self.set_effort(iterations)

    def set_effort(self, iterations: int | None, settled: float = 0.0, descent: int = 0,
                   follow_rate: bool = False) -> None:
        """Refine like this from the next frame on.

        iterations: per frame, None for as trained; settled, descent: see `Schedule`; follow_rate:
        fewer iterations where images come faster than that.
        """
        iterations = self._schedule.iterations if iterations is None else iterations
        fitting = self._pace.iterations(iterations) if follow_rate else iterations
        effort = iterations, fitting, settled, descent
        if effort != self._effort:
            schedule = self._schedule.changed(iterations=iterations, settled=settled,
                                              descent=descent)
            self._filter = Filter(self._model, dataclasses.replace(schedule, iterations=fitting),
                                  self._engine)
            self._effort = effort

    def came(self, stamp: float) -> None:
        """Note that an image came, processed or not; stamp: s."""
        self._pace.came(stamp)

    def applied(self, row, col, acceleration, cut: bool) -> Applied:
        """Say what was applied to one frame, at P points: arrays [P], [P] and [P, 2]."""
        return Applied(ActionField(
            torch.as_tensor(np.asarray(row, dtype=np.int64))[None],
            torch.as_tensor(np.asarray(col, dtype=np.int64))[None],
            torch.as_tensor(np.asarray(acceleration, dtype=np.float32)).reshape(1, -1, 2),
            self.size, self.size).to(self.device), cut)

    @property
    def frame(self) -> int:
        """Number of the newest picture since the filter started: 0 for the first, -1 before it."""
        return -1 if self._state is None else self._state.frame - 1

    def restart(self) -> None:
        """Forget all beliefs; the next picture is the first one."""
        self._state = None

    def step(self, picture: np.ndarray, actions=(None,)):
        """Take in the next picture [H, W, 3] uint8 and return its Percept.

        actions: fields that acted on the last picture and on each frame skipped since (None:
        nothing did); without meaning after a restart. `spoilt` says whether what was believed so
        far led to numbers that no message may hold: then the picture was taken in as the first.
        """
        begin = time.monotonic()
        image = to_image(picture, self.device)[None]
        percept = self._take_in(image, actions)
        self.spoilt = not _sound(percept.belief)
        if self.spoilt:
            self.restart()
            percept = self._take_in(image, actions)
        self._pace.took(time.monotonic() - begin, percept.iterations)
        return percept

    def _take_in(self, image, actions):
        if self._state is None:
            self._state = self._filter.start(batch=1, seed=self._seed)
            actions = (None,)
        for action in actions[:-1]:
            self._state = self._filter.coast(self._state, action)
        self._state, percept = self._filter.step(self._state, image, actions[-1])
        return percept

    def predict(self) -> np.ndarray:
        """Return the picture expected next if nothing is done, [H, W, 3] uint8."""
        return to_picture(self._filter.predict(self._state, frames=1).images[0, 0])

    def warm_up(self) -> None:
        """Run once on a grey picture, so that the first real one is not slow."""
        grey = np.full((self.size, self.size, 3), 127, np.uint8)
        self.step(grey)
        self.step(grey)
        self.restart()
        self._pace = Pace()


def _sound(belief) -> bool:
    means = torch.stack([belief.mean, belief.velocity]).abs() <= FARTHEST
    log_sds = torch.stack([belief.log_sd, belief.velocity_log_sd]).abs() <= LARGEST_LOG_SD
    return bool(means.all() & log_sds.all())
