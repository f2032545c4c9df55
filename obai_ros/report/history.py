# SPDX-License-Identifier: Apache-2.0
"""How a model came to be, stage by stage, and what that took, as far as its record tells."""
from __future__ import annotations

from dataclasses import dataclass

from obai_ros.training.operations import learning_operations
from obai_ros.training.recipe import Recipe


@dataclass(frozen=True)
class Leg:
    """
    A stage of a run. What the record does not tell is None.

    steps: of the optimiser; sequences: learned from; seconds: that it took; operations:
    floating-point operations for each sequence, see `learning_operations`.
    """

    stage: str
    seed: int | None
    steps: int | None
    sequences: int | None
    seconds: float | None
    hardware: str
    operations: int | None

    @property
    def total_operations(self) -> int | None:
        known = self.operations is not None and self.sequences is not None
        return self.operations * self.sequences if known else None


def history(record: dict) -> list[Leg]:
    """
    Return the stages of all runs that led to a model, the first one first.

    record: of its checkpoint. Raises ValueError for one that is not what a run keeps.
    """
    runs = []
    try:
        while record:
            runs.insert(0, record)
            record = record.get('before')
        return [leg for run in runs for leg in _legs_of(run)]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f'the record of the weights is not what a run keeps ({error!r}): restore '
                         f'their .json from where they came from') from error


def totals(legs: list[Leg]) -> dict:
    """Return the sums over all legs, ready for JSON: of what is known; None where nothing is."""
    def total(name: str):
        known = [value for value in (getattr(leg, name) for leg in legs) if value is not None]
        return sum(known) if known else None

    return {'steps': total('steps'), 'sequences': total('sequences'),
            'seconds': total('seconds'), 'operations': total('total_operations'),
            'operations_known_of': [leg.stage for leg in legs if leg.operations is not None]}


def _legs_of(record: dict) -> list[Leg]:
    """Return the stages of one run."""
    # By stage, in their order: how far it came, and when, counted from the beginning of the run.
    ends = {entry['stage']: (entry['step'], entry.get('seconds'))
            for entry in record.get('stages', [])}
    last = record.get('stage', '')
    ends[last] = record.get('step', record.get('steps')), record.get('seconds')
    recipe = _recipe(record)
    stages = {stage.name: index for index, stage in enumerate(recipe.stages)} if recipe else {}
    legs, before = [], 0.0
    for name, (steps, since) in ends.items():
        index, sequences = stages.get(name), None
        if len(ends) == 1:
            sequences = record.get('sequences')
        elif index is not None:
            sequences = steps * recipe.stages[index].batch
        legs.append(Leg(
            name, record.get('seed'), steps, sequences, None if since is None else since - before,
            record.get('hardware', ''),
            None if index is None else learning_operations(recipe, index)))
        before = before if since is None else since
    return legs


def _recipe(record: dict) -> Recipe | None:
    """Return the recipe of a run; None where there is none, or one that is not understood now."""
    if 'recipe' not in record:
        return None
    try:
        return Recipe.from_dict(record['recipe'])
    except ValueError:  # of another version of this package: of it no operations can be told
        return None
