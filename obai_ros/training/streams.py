# SPDX-License-Identifier: Apache-2.0
"""
Learning from streams: beliefs that are gone on with from step to step, as a robot's are.

In clips of four frames a model never meets the beliefs that it has after twenty, and does not
learn to keep them in order. Here some batches of streams are kept, and each step learns from the
next frames of one of them. Gradients go back to where the step began.
"""
from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.environment.scene import Scene
from obai_ros.environment.stream import Stream, begin_stream, go_on
from obai_ros.model.belief import ActionBelief, Belief
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.second_look import look_again
from obai_ros.model.window import Past, Window
from obai_ros.training.chance import generator_of
from obai_ros.training.objective import Objective, stream_loss
from obai_ros.training.recipe import Recipe
from obai_ros.training.stage import SHORTEST

LEVELS = 255.0
"""Colours of the simulator are multiples of one by this, so that a byte holds them exactly. Masks
of streams are rounded to such, so that a state is small."""


@dataclass(frozen=True)
class Watched:
    """
    A batch of streams and what is believed about them.

    seen: frames so far; life: after how many they end.
    """

    stream: Stream
    window: Window
    seen: int
    life: int


class Streams:
    """
    The streams of a stage, one batch for each of `stage.streams`.

    shard, shards: this process among all; each has streams of its own.
    """

    def __init__(self, recipe: Recipe, stage_index: int, seed: int, device, shard: int = 0,
                 shards: int = 1):
        self._stage = recipe.stages[stage_index]
        self._scene = recipe.scene_at(self._stage)
        self._batch = self._stage.share(shards)
        self._chance = seed, stage_index
        self._device, self._shard, self._shards = device, shard, shards
        self._watched: list[Watched | None] = [None] * self._stage.streams

    def learn(self, model: Obai, step: int, temperature: float | None = None) -> Objective:
        """
        Return the loss of the next frames of the streams whose turn it is at a step.

        A stream that is new, or begins anew because its life is over, is looked at for its first
        frame and the next.
        """
        turn = step % len(self._watched)
        generator = generator_of(self._device, *self._chance, step, self._shard)
        watched, noise = self._watched[turn], Noise(generator, self._device)
        new = watched is None or watched.seen >= watched.life
        if new:
            stream = begin_stream(self._scene, self._batch, generator, self._device)
            life = int(torch.randint(SHORTEST, self._stage.longest + 1, (), generator=generator,
                                     device=self._device))
            window, seen, frames = None, 1, 1
        else:
            stream = watched.stream
            window = self._with_births(model, watched.window, noise)
            seen, life, frames = watched.seen, watched.life, self._stage.frames
        latest = stream

        def arrivals():
            nonlocal latest
            for _ in range(frames):
                latest, field = go_on(latest, self._scene, generator)
                yield latest.image, field

        objective, window = stream_loss(model, window, stream.image, arrivals(), frames,
                                        self._stage.schedule, noise, temperature)
        window = replace(window, mask=_in_bytes(window.mask).to(window.mask) / LEVELS)
        self._watched[turn] = Watched(latest, window, seen + frames, life)
        return objective

    def _with_births(self, model: Obai, window: Window, noise: Noise) -> Window:
        schedule = self._stage.schedule
        if not schedule.births:
            return window
        energy = window.packed.new_zeros(window.batch, model.config.num_slots)
        everywhere = torch.ones(window.batch, dtype=torch.bool, device=energy.device)
        return look_again(model, window, energy, everywhere, schedule, noise, afresh=False)[0]

    def forget(self, step: int) -> None:
        """Let the streams of a step begin anew: their beliefs are beyond repair."""
        self._watched[step % len(self._watched)] = None

    def state(self) -> dict[str, Tensor]:
        """Return all of it as tensors by name."""
        return {f'{number}.{name}': value
                for number, watched in enumerate(self._watched) if watched is not None
                for name, value in _tensors(watched).items()}

    def of_all_processes(self) -> tuple[dict[str, Tensor], ...]:
        """Return the state of each process's streams; all of them take part."""
        mine = {name: value.detach().cpu() for name, value in self.state().items()}
        if self._shards == 1:
            return (mine,)
        states = [None] * self._shards
        torch.distributed.all_gather_object(states, mine)
        return tuple(states)

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on where `state` was taken, by as many processes."""
        for number in range(len(self._watched)):
            mine = {name.split('.', 1)[1]: value.to(self._device)
                    for name, value in state.items() if name.startswith(f'{number}.')}
            self._watched[number] = self._from_tensors(mine) if mine else None

    def _from_tensors(self, values: dict[str, Tensor]) -> Watched:
        scene = Scene(**{each.name: values[f'scene.{each.name}'] for each in fields(Scene)})
        size = self._scene.image_size
        field_count = values['window.action_packed'].shape[1]
        window = {name.partition('.')[2]: value for name, value in values.items()
                  if name.startswith('window.')}
        past = None
        if 'past.belief' in values:
            past = Past(Belief.unpack(values['past.belief']),
                        ActionBelief(*values['past.action'].chunk(2, -1)))
        for each in ('images', 'mask'):
            window[each] = window[each].to(window['packed']) / LEVELS
        return Watched(
            Stream.seen(scene, values['place'], self._scene),
            Window(**window, past=past, fields=tuple(
                ActionField(values[f'field{number}.row'], values[f'field{number}.col'],
                            values[f'field{number}.acceleration'], size, size)
                for number in range(field_count))),
            int(values['seen']), int(values['life']))


def _in_bytes(values: Tensor) -> Tensor:
    """Turn multiples of 1 / LEVELS into bytes, others into the nearest."""
    return (values * LEVELS).round().to(torch.uint8)


def _tensors(watched: Watched) -> dict[str, Tensor]:
    """Return a batch of streams as tensors; what they look like is drawn again from the scene."""
    stream, window = watched.stream, watched.window
    values = {'seen': torch.tensor(watched.seen), 'life': torch.tensor(watched.life),
              'place': stream.place}
    values |= {f'scene.{each.name}': getattr(stream.scene, each.name) for each in fields(Scene)}
    for each in fields(Window):
        if each.name not in ('fields', 'past'):
            values[f'window.{each.name}'] = getattr(window, each.name)
    values |= {f'window.{name}': _in_bytes(getattr(window, name)) for name in ('images', 'mask')}
    for number, field in enumerate(window.fields):
        values |= {f'field{number}.row': field.row, f'field{number}.col': field.col,
                   f'field{number}.acceleration': field.acceleration}
    if window.past is not None:
        values['past.belief'] = window.past.belief.pack()
        action = window.past.action
        values['past.action'] = torch.cat([action.mean, action.log_sd], -1)
    return values
