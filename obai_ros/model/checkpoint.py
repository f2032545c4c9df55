# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: NAME.safetensors, and NAME.json with the configuration and the record."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.model.schedule import Schedule
from obai_ros.share import share_folder
from obai_ros.whole_file import json_bytes, whole_files


class CheckpointError(ValueError):
    """Weights that cannot be used, with a sentence that says why and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """
    A model as loaded from disk.

    model_id: the first 16 hexadecimal digits of the weights' SHA-256; beliefs and goals of one
    model mean nothing to another, and this is how they tell. schedule: the iterations and the
    window it was trained with; far more iterations than these do not make beliefs better.
    record: how it was trained and what it scored, as stored.
    """

    model: Obai
    config: ModelConfig
    model_id: str
    schedule: Schedule
    record: dict


def spoiled(weights: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the tensors that hold a value which is not finite."""
    return [name for name, value in weights.items() if not bool(torch.isfinite(value).all())]


def save_checkpoint(path: str | Path, model: Obai, record: dict,
                    schedule: Schedule = Schedule(window=2)) -> str:
    """
    Write weights and description; return the model id.

    path: NAME.safetensors. record: any JSON values: training record, metrics.
    Raises CheckpointError, and writes nothing, when a weight is not finite.
    """
    path = Path(path)
    if path.suffix != '.safetensors':
        raise ValueError(f'{path} should end in .safetensors: weights are kept in that format')
    state = {name: value.detach().cpu().contiguous()
             for name, value in model.state_dict().items()}
    bad = spoiled(state)
    if bad:
        raise CheckpointError(f'{path} is not written: {_not_finite(bad)}')
    weights = save(state)
    digest = hashlib.sha256(weights).hexdigest()
    description = {'format': 1, 'sha256': digest, 'config': model.config.to_dict(),
                   'schedule': asdict(schedule), 'record': record}
    # Both are on disk before either has its name. The description goes first: between the two
    # it names weights that are not there yet, which loading reports, rather than weights that
    # nobody can interpret.
    with whole_files(path.with_suffix('.json'), path) as (described, kept):
        described.write(json_bytes(description))
        kept.write(weights)
    return digest[:16]


def load_checkpoint(path: str | Path, device='cpu', precision: str = 'float32') -> Checkpoint:
    """
    Read a model. Raises CheckpointError when a file is missing, damaged or does not belong.

    path: NAME.safetensors, with NAME.json beside it.
    """
    path = Path(path)
    described = path.with_suffix('.json')
    if path.suffix != '.safetensors':
        raise CheckpointError(f'{path} is not a .safetensors file: give the weights\' file, '
                              f'or the name of bundled ones ({", ".join(bundled())})')
    for file in (path, described):
        if not file.is_file():
            raise CheckpointError(f'{file} does not exist: a model is a pair of files, '
                                  f'{path.name} and {described.name}')
    weights = path.read_bytes()
    try:
        description = _description(described.read_text())
        config = ModelConfig.from_dict(description['config'])
        schedule = Schedule(**description['schedule'])
        expected, record = description['sha256'], description['record']
    except (TypeError, ValueError) as error:
        raise CheckpointError(f'{described} does not describe a model ({error}): restore it from '
                              f'where the weights came from') from error
    digest = hashlib.sha256(weights).hexdigest()
    if digest != expected:
        raise CheckpointError(
            f'{path} is not the file that {described.name} describes (SHA-256 {digest[:16]}..., '
            f'expected {str(expected)[:16]}...): it is damaged or was exchanged; copy both files '
            f'again')
    model = Obai(config, precision)
    try:
        model.load_state_dict(load(weights))
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f'the weights in {path} do not fit the configuration in '
                              f'{described.name}: {error}') from error
    bad = spoiled(model.state_dict())
    if bad:
        raise CheckpointError(f'{path} cannot be used: {_not_finite(bad)}; take those of another '
                              f'run')
    return Checkpoint(model.to(device).eval(), config, digest[:16], schedule, record)


def _description(text: str) -> dict:
    """Return what a description says. Raises ValueError unless all parts of it are there."""
    description = json.loads(text)
    if not isinstance(description, dict):
        raise ValueError('it holds no values by name')
    missing = [name for name in ('config', 'schedule', 'sha256', 'record')
               if name not in description]
    if missing:
        raise ValueError(f'it lacks {", ".join(missing)}')
    for name in ('config', 'schedule', 'record'):
        if not isinstance(description[name], dict):
            raise ValueError(f'its {name} is {description[name]!r}, expected values by name')
    return description


def _not_finite(names: list[str]) -> str:
    others = f' and {len(names) - 1} more' if len(names) > 1 else ''
    return f'the weights {names[0]}{others} are not finite, so that nothing can come of them'


def checkpoint_path(given: str | Path | None) -> Path:
    """
    Return the file of the weights that somebody names.

    given: a path; a bare name, such as fast, of bundled ones; or None for the default. Whether
    there is such a file is seen when it is loaded. Raises CheckpointError without bundled weights.
    """
    if given is None:
        return default_checkpoint()
    return default_checkpoint(str(given)) if str(given) in bundled() else Path(given)


def bundled() -> list[str]:
    """Return the names of the weights that come with the package; none where it has none."""
    try:
        folder = share_folder('models')
    except FileNotFoundError:
        return []
    return sorted(file.stem for file in folder.glob('*.safetensors')
                  if file.with_suffix('.json').is_file())


def default_checkpoint(name: str = 'fast') -> Path:
    """Return the path of bundled weights. Raises CheckpointError when there are none."""
    try:
        return share_folder('models') / f'{name}.safetensors'
    except FileNotFoundError as error:
        raise CheckpointError(str(error)) from error
