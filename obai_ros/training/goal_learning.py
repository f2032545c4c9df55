# SPDX-License-Identifier: Apache-2.0
"""Learning goals (section 2.4.1): a bank of true states and of what the model believes of them."""
from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import torch

from obai_ros.action_field import ActionField
from obai_ros.environment.photograph import in_any_colours, photographer
from obai_ros.environment.rendering import render
from obai_ros.environment.scene import sample_scene, step
from obai_ros.environment.shapes import SHAPES
from obai_ros.model.checkpoint import Checkpoint
from obai_ros.model.engines.choice import direct_engine
from obai_ros.model.filter import Filter
from obai_ros.model.schedule import Schedule
from obai_ros.planning.goal_bank import GoalBank, GoalBankError
from obai_ros.planning.recognition import MIN_OBJECTS
from obai_ros.training.matching import matched_slots
from obai_ros.training.scenes import scenes_of

# After this many scenes a model is given up that has found less than this share of the objects.
PATIENCE, LEAST_FOUND = 256, 0.02


class GoalLearningError(ValueError):
    """A model that no goals can be learned with; the message says why."""


@dataclass(frozen=True)
class GoalLearning:
    """What a bank is made of. The same settings give the same bank, resumed or not."""

    objects: int = 10_000
    """Objects in the bank."""
    batch: int = 32
    """Scenes that are inferred at once, and saved together."""
    frames: int = 2
    """Frames that a belief rests on. What is kept is where the object is, not how it moves."""
    iterations: int | None = None
    """Refinements per frame; None: as many as the model was trained with."""
    seed: int = 0
    velocity_sd: float = 2.0
    """Half of the training videos' (px/frame in a 64 px image): goals are places to be at rest."""

    def __post_init__(self):
        for name in ('objects', 'batch', 'frames', 'iterations'):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f'{name} is {getattr(self, name)}: expected at least 1')
        if self.objects < MIN_OBJECTS:
            raise ValueError(f'objects is {self.objects}: expected at least {MIN_OBJECTS}, and '
                             f'better thousands, on which goals rest')


class GoalScenes(Protocol):
    """
    Where the objects of a bank come from.

    name: what no other source has. remedy: what to do where a model finds next to nothing in it.
    """

    name: str
    remedy: str

    def __call__(self, checkpoint: Checkpoint, settings: GoalLearning, number: int) -> GoalBank:
        """Return the bank of one batch of scenes, the `number`-th."""


class Simulated:
    """
    Scenes of the simulator, whose objects are known.

    They end up anywhere in the image, evenly, so that a goal may be anywhere, too. photographs:
    whether they look as a camera would see them (`environment.photograph`).
    """

    remedy = ('it has not learned to tell objects apart (IoU > 0.5), and no goals can be learned '
              'with it; train it further')

    def __init__(self, photographs: bool = False):
        self._photographs = photographs
        self.name = 'photographs' if photographs else ''

    @torch.no_grad()
    def __call__(self, checkpoint: Checkpoint, settings: GoalLearning, number: int) -> GoalBank:
        """See `GoalScenes`."""
        model = checkpoint.model
        config = scenes_of(checkpoint, position_range=(0.0, 1.0), velocity_sd=settings.velocity_sd)
        if self._photographs:
            config = in_any_colours(config)
        # Far apart for different seeds and batches, and unlike those of training and evaluation.
        generator = torch.Generator().manual_seed(2 ** 44 + settings.seed * 2 ** 24 + number)
        scene = sample_scene(config, settings.batch, generator)
        scene = replace(scene, position=scene.position - (settings.frames - 1) * scene.velocity)
        perception = Filter(model, schedule_of(checkpoint, settings), direct_engine(model))
        streams = range(number * settings.batch, (number + 1) * settings.batch)
        state = perception.start(settings.batch, list(streams))
        nothing = ActionField.empty(settings.batch, config.image_size, config.image_size)
        camera = (photographer(config, settings.batch, generator) if self._photographs
                  else partial(render, config=config))
        for frame in range(settings.frames):
            image, labels = camera(scene)
            state, percept = perception.step(state, image)
            if frame < settings.frames - 1:
                scene = step(scene, labels, nothing)
        slot, _ = matched_slots(percept.assignment, labels.to(model.device), config.num_objects,
                                percept.background)
        found = (slot >= 0) & ~percept.empty.gather(1, slot.clamp(min=0))
        row, index = found.cpu().nonzero(as_tuple=True)
        slot = slot.cpu()[row, index]
        mean, sd = percept.belief.mean.cpu(), percept.belief.log_sd.exp().cpu()
        return GoalBank(
            position=scene.position[row, index], shape=scene.shape[row, index],
            colour=scene.colour[row, index], size=scene.size[row, index],
            orientation=scene.orientation[row, index], mean=mean[row, slot].float(),
            sd=sd[row, slot].float(), traits=percept.traits.cpu()[row, slot].float(),
            model_id=checkpoint.model_id,
            image_size=(config.image_size, config.image_size), shapes=SHAPES)


def learn_goals(checkpoint: Checkpoint, settings: GoalLearning, path: str | Path,
                progress: Callable[[int, int], None] = lambda objects, scenes: None,
                source: GoalScenes = Simulated()) -> GoalBank:
    """
    Fill a goal bank and write it to `path`.

    source: of the objects. Each batch is kept in a folder beside `path` until the bank
    is complete: after an interruption the same call goes on where it was.
    `progress(objects, scenes)` is called after each batch.
    Raises GoalLearningError when the model finds next to none of the objects, GoalBankError when
    it believes the same of all.
    """
    path = Path(path)
    parts = path.with_name(f'.{path.name}.parts')
    # Parts of other weights or settings are of no use, and told by their names.
    schedule = schedule_of(checkpoint, settings)
    stem = (f'{checkpoint.model_id}-2-{checkpoint.model.precision}-{settings.seed}-'
            f'{settings.batch}'
            f'x{settings.frames}x{schedule.iterations}-{schedule.starts}-'
            f'{schedule.births}-{settings.velocity_sd:g}')
    if source.name:
        stem = f'{stem}-{source.name}'
    banks, count, scenes, number = [], 0, 0, 0
    while count < settings.objects:
        bank = _part(source, checkpoint, settings, number,
                     parts / f'{stem}-{number:06d}.safetensors')
        banks.append(bank)
        count, scenes, number = count + len(bank), scenes + settings.batch, number + 1
        progress(min(count, settings.objects), scenes)
        objects = scenes * scenes_of(checkpoint).num_objects
        if scenes >= PATIENCE and count < LEAST_FOUND * objects:
            shutil.rmtree(parts)
            raise GoalLearningError(
                f'in {scenes} scenes the model {checkpoint.model_id} found {count} of {objects} '
                f'objects: {source.remedy}')
    bank = GoalBank.join(banks).first(settings.objects)
    bank.locate(bank.mean)  # what cannot be read is not worth keeping
    bank.save(path)
    shutil.rmtree(parts)
    return bank


def schedule_of(checkpoint: Checkpoint, settings: GoalLearning) -> Schedule:
    """Return how a model looks in use: beliefs of another schedule are of other shapes."""
    return checkpoint.schedule.careful().changed(iterations=settings.iterations)


def _part(source: GoalScenes, checkpoint: Checkpoint, settings: GoalLearning, number: int,
          path: Path) -> GoalBank:
    """Return the bank of one batch, from its file if there is a whole one."""
    if path.is_file():
        try:
            return GoalBank.load(path, checkpoint.model_id)
        except GoalBankError:
            path.unlink()
    bank = source(checkpoint, settings, number)
    bank.save(path)
    return bank
