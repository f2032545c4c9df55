# SPDX-License-Identifier: Apache-2.0
"""A training run on disk: everything it takes to continue exactly where it stopped."""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from obai_ros.model.checkpoint import CheckpointError
from obai_ros.training.recipe import Recipe
from obai_ros.whole_file import write_bytes


@dataclass
class TrainingState:
    """
    recipe, seed: what is run. stage: index of the stage; step: optimiser steps done in it.
    model, average: weights and their moving average, of the stage's model.
    moments: the optimiser's moments, by parameter name; empty at the start of a stage.
    record: what happened so far (steps, sequences, seconds, scores), for the model card.
    streams: where the streams of the stage are, see `training.streams`, of each process; empty
    with clips.

    There is no state of random numbers: every step draws from a generator seeded by the run's
    seed, the stage and the step.
    """

    recipe: Recipe
    seed: int
    stage: int
    step: int
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    moments: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    record: dict = field(default_factory=dict)
    streams: tuple[dict[str, Tensor], ...] = ()


def save_state(path: str | Path, state: TrainingState) -> None:
    """Write a state as one safetensors file; a failure leaves the previous file as it was."""
    tensors = {}
    groups = {'model': state.model, 'average': state.average, **state.moments}
    groups |= {_streams_of(process): mine for process, mine in enumerate(state.streams)}
    for group, values in groups.items():
        for name, value in values.items():
            tensors[f'{group}:{name}'] = value.detach().cpu().contiguous()
    description = {'recipe': state.recipe.to_dict(), 'seed': state.seed, 'stage': state.stage,
                   'step': state.step, 'record': state.record}
    write_bytes(path, save(tensors, {'training': json.dumps(description)}))


def load_state(path: str | Path) -> TrainingState:
    """Read a state. Raises CheckpointError, in a sentence, for a file that is not one."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f'{path} does not exist: there is no run to resume')
    groups: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, 'pt') as file:
            description = json.loads((file.metadata() or {})['training'])
            for key in file.keys():
                group, name = key.split(':', 1)
                groups.setdefault(group, {})[name] = file.get_tensor(key)
        streams = []
        while _streams_of(len(streams)) in groups:
            streams.append(groups.pop(_streams_of(len(streams))))
        return TrainingState(
            recipe=Recipe.from_dict(description['recipe']), seed=description['seed'],
            stage=description['stage'], step=description['step'], model=groups.pop('model'),
            average=groups.pop('average'), streams=tuple(streams), moments=groups,
            record=description['record'])
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f'{path} is not the state of a training run, or is damaged '
                              f'({error}): resume from another one') from error


def _streams_of(process: int) -> str:
    return f'streams.{process}' if process else 'streams'


def moments_of(optimizer: torch.optim.Optimizer, names: list[str]) -> dict:
    """Return what an optimiser remembers of each parameter: {what: {name: tensor}}."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group['params']]
    moments: dict[str, dict[str, Tensor]] = {}
    for name, parameter in zip(names, parameters):
        for key, value in optimizer.state.get(parameter, {}).items():
            moments.setdefault(key, {})[name] = torch.as_tensor(value)
    return moments


def restore_moments(optimizer: torch.optim.Optimizer, names: list[str], moments: dict) -> None:
    """Put moments from `moments_of` back into a fresh optimizer."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group['params']]
    for name, parameter in zip(names, parameters):
        optimizer.state[parameter] = {
            key: values[name].clone() if key == 'step' else values[name].to(parameter.device)
            for key, values in moments.items() if name in values}
