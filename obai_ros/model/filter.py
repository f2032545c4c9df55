# SPDX-License-Identifier: Apache-2.0
"""Perception of endless video: a sliding window, one image and one action field at a time."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.belief import ActionBelief, Belief, bounded
from obai_ros.model.engine import Engine
from obai_ros.model.fading import Fading
from obai_ros.model.glimpse import PLACE
from obai_ros.model.inference import begin, finished
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.percept import Percept, perceive
from obai_ros.model.schedule import Schedule
from obai_ros.model.second_look import JUMP, look_again
from obai_ros.model.window import Window, coast, extend, newest_belief, put


@dataclass(frozen=True)
class FilterState:
    """
    Everything a filter remembers of a stream.

    window: the newest frames and their beliefs; None before the first frame.
    frame: number of frames seen. noise: the streams' random numbers; drawing from it advances
    it, so a state is to be stepped once only. seeds: of the noise, one for each stream.
    energy: [B], free energy of the newest frame that was seen, nats, with the beliefs that its
    last refinement began with; None before the first. background: [B], the slot that has it.
    """

    window: Window | None
    frame: int
    noise: Noise
    seeds: tuple[int, ...]
    energy: Tensor | None = None
    background: Tensor | None = None


@dataclass(frozen=True)
class Prediction:
    """
    F frames that have not been seen.

    beliefs: F beliefs with fields [B, K, N]. images: [B, F, 3, H, W], soft composites.
    masks: [B, F, K, H, W].
    """

    beliefs: tuple[Belief, ...]
    images: Tensor
    masks: Tensor


class Filter:
    """
    Infers beliefs over a stream of images (section 2.3, with a window that slides).

    Nothing of the stream is kept in this object: `start` makes a state, `step` turns a state
    and an image into the next state and a percept. Memory does not grow with the stream.

    schedule: best the one the model was trained with, `Checkpoint.schedule`; schedules may change
    from one step to the next. engine: what does the work, see `engines.choice`; the
    reference unless told otherwise. Raises ValueError for seeds of a model that has no room for
    them.
    """

    def __init__(self, model: Obai, schedule: Schedule = Schedule(window=2),
                 engine: Engine = Engine()):
        if schedule.seeds and model.config.latent_size <= PLACE:
            raise ValueError(f'seeds say what {PLACE} latents are, and the model has '
                             f'{model.config.latent_size}: expected a schedule without seeds')
        self.model = model.eval()
        self.schedule = schedule
        self.engine = engine
        self._fading = Fading(model)

    def start(self, batch: int = 1, seed: int | Sequence[int] = 0) -> FilterState:
        """
        Return the state before the first frame of `batch` streams.

        seed: one number, from which each stream's own is counted up, or one for each stream. A
        stream's beliefs depend on its own seed only, not on its neighbours in the batch.
        """
        seeds = [seed + index for index in range(batch)] if isinstance(seed, int) else list(seed)
        if len(seeds) != batch:
            raise ValueError(f'{len(seeds)} seeds were given for {batch} streams: expected one '
                             f'number or one for each stream')
        return FilterState(None, 0, Noise.seeded(seeds, self.model.device), tuple(seeds))

    @torch.no_grad()
    def step(self, state: FilterState, image: Tensor, action: ActionField | None = None
             ) -> tuple[FilterState, Percept]:
        """
        Take in the next frame.

        image: [B, 3, H, W] float in [0, 1], of the model's size. action: the field that was
        applied on the previous frame, in its pixels; None: nothing was.
        Raises ValueError, in a sentence, for an image or a field that does not fit.
        """
        model, size = self.model, self.model.config.image_size
        # Before they go to a GPU, which would have to be waited for.
        model.check_images(image)
        if action is None:
            action = ActionField.empty(len(image), size, size)
        action.check(len(image), size, size)
        image = image.to(model.device)
        if state.window is None:
            window, energy = self._descend(
                *begin(model, image, self.schedule, state.noise, self.engine))
            jumped = renewed = None
            iterations = self.schedule.at(0)
        else:
            if state.window.batch != len(image):
                raise ValueError(f'{len(image)} images came for {state.window.batch} streams')
            window = extend(model, state.window, image, action.to(model.device),
                            self.schedule.window, self.schedule.confined, self.engine.expect)
            if self.schedule.confined:
                window = self._faded(window, state.background)
            window, energy, iterations = self._refine(window, state.noise)
            window, energy = self._descend(window, energy)
            jumped = energy.sum(-1) > state.energy + JUMP * window.images.shape[-1]
            window, energy, renewed = self._look_again(state, window, energy, jumped)
        window = finished(model, window, self.schedule, self.engine)
        belief = window.belief[:, -1]
        percept = perceive(model, belief, image, energy, iterations, jumped, renewed,
                           self.engine.describe(model, belief.mean, image))
        return replace(state, window=window.detach(), frame=state.frame + 1,
                       energy=percept.free_energy, background=percept.background), percept

    def _faded(self, window: Window, background: Tensor) -> Window:
        """Return the window with its newest frame, which has not been looked at yet, faded."""
        newest = self._fading(window.belief[:, -1], background).pack()
        return replace(window, packed=torch.cat([window.packed[:, :-1], newest[:, None]], 1))

    def _refine(self, window: Window, noise: Noise) -> tuple[Window, Tensor, int]:
        """
        Return window and energy after the refinements that are due, and how many they were.

        Streams settle each by itself; the number is that of the one that took most.
        """
        model, schedule = self.model, self.schedule
        noise = noise.samples(schedule.sampled)
        if not schedule.settled:
            window, energy = self.engine.refine(model, window, schedule.iterations, noise)
            return window, energy, schedule.iterations
        enough = schedule.settled * window.images.shape[-1]
        # Streams that have settled are left alone, and their random numbers, while others go on.
        index, part, energy, before = None, window, None, None
        for spent in range(1, schedule.iterations + 1):
            part, lower = self.engine.refine(model, part, 1, noise)
            if index is None:
                window, energy = part, lower
            else:
                window, energy = put(window, index, part), energy.index_copy(0, index, lower)
            if before is not None:
                settled = (before - lower.sum(-1) < enough).tolist()
                if all(settled):
                    break
                if any(settled):
                    rest = torch.tensor(settled).logical_not().nonzero()[:, 0]
                    noise, rest = noise[rest], rest.to(lower.device)
                    index = rest if index is None else index[rest]
                    part, lower = window[index], lower[rest]
            before = lower.sum(-1)
        return window, energy, spent

    def _descend(self, window: Window, energy: Tensor) -> tuple[Window, Tensor]:
        """Return window and energy, lower after a descent if the schedule asks for one."""
        if not self.schedule.descent:
            return window, energy
        return self.engine.descend(self.model, window, self.schedule.descent)

    def _look_again(self, state: FilterState, window: Window, energy: Tensor, jumped: Tensor
                    ) -> tuple[Window, Tensor, Tensor]:
        """Give the newest frame a second look where it is due."""
        if not self.schedule.second_look:
            return window, energy, torch.zeros_like(jumped)
        due = jumped | self.schedule.looks_again_at(state.frame)
        if not due.any():
            return window, energy, due
        # Random numbers of its own: whether one stream needs a second look is not to change
        # what its neighbours in the batch see.
        noise = Noise.seeded([seed ^ (state.frame << 32) for seed in state.seeds],
                             self.model.device)
        return look_again(self.model, window, energy, due, self.schedule, noise, self.engine)

    @torch.no_grad()
    def coast(self, state: FilterState, action: ActionField | None = None) -> FilterState:
        """
        Let one frame pass that nobody saw: the newest belief moves on by its dynamics.

        action: the field that was applied on the newest frame. The window empties; the
        extrapolated belief is the past of the next frame that is seen.
        """
        if state.window is None:
            return state
        model, size = self.model, self.model.config.image_size
        if action is None:
            action = ActionField.empty(state.window.batch, size, size, model.device)
        action.check(state.window.batch, size, size)
        window = coast(model, state.window, action.to(model.device), self.schedule.confined)
        return replace(state, window=window, frame=state.frame + 1)

    @torch.no_grad()
    def predict(self, state: FilterState, frames: int = 1,
                actions: Sequence[Tensor] | None = None) -> Prediction:
        """
        Extrapolate the newest belief by some frames and decode what it would look like.

        actions: for each of the frames, the accelerations [B, K, 2] (px/frame^2) that lead to
        it; None: no action. The state is left as it is.
        """
        if state.window is None:
            raise ValueError('nothing has been seen yet: step the filter before predicting')
        if frames < 1:
            raise ValueError(f'{frames} frames are to be predicted: expected at least 1')
        if actions is not None and len(actions) != frames:
            raise ValueError(f'{len(actions)} actions were given for {frames} frames: expected '
                             f'one for each frame')
        return predict(self.model, newest_belief(state.window), frames, actions,
                       self.schedule.confined)


@torch.no_grad()
def predict(model: Obai, belief: Belief, frames: int, actions: Sequence[Tensor] | None = None,
            confined: bool = False) -> Prediction:
    """
    Extrapolate beliefs [B, K, N] by some frames; see `Filter.predict`.

    confined: forget velocities outside of the span of D, see `Schedule`.
    """
    beliefs, images, masks = [], [], []
    for frame in range(frames):
        mean = (torch.zeros(*belief.mean.shape[:-1], 2, dtype=model.dtype, device=model.device)
                if actions is None else actions[frame].to(model.device, model.dtype))
        certain = ActionBelief(mean, torch.full_like(mean, -torch.inf))
        belief = Belief.unpack(bounded(
            model.dynamics.extrapolate(belief, certain, confined).pack()))
        percept = perceive(model, belief)
        beliefs.append(belief)
        images.append(percept.reconstruction())
        masks.append(percept.masks)
    return Prediction(tuple(beliefs), torch.stack(images, 1), torch.stack(masks, 1))
