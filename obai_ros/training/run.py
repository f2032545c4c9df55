# SPDX-License-Identifier: Apache-2.0
"""A training run from beginning to end, or from where it was interrupted."""
from __future__ import annotations

import datetime
import logging
import os
import platform
import signal
import sys
import time
import warnings
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger

from obai_ros.model.checkpoint import Checkpoint, save_checkpoint
from obai_ros.training.learner import Learner
from obai_ros.training.recipe import Recipe
from obai_ros.training.recorded import Recorded, read_footage
from obai_ros.training.state import load_state, save_state
from obai_ros.training.validation import validate, validation_videos

STATE = 'state.safetensors'
"""File in the run's folder from which it is resumed."""


class Bookkeeping(L.Callback):
    """Saves, validates and reports; stops the run when it is asked to or out of time."""

    def __init__(self, folder: Path, minutes: float, validate_every: int, save_every_s: float,
                 say=print):
        self.folder, self.say = folder, say
        self.validate_every, self.save_every_s = validate_every, save_every_s
        self.deadline = time.monotonic() + 60.0 * minutes
        self.stop = False
        self.videos = None

    def _on_signal(self, number, frame):
        self.say(f'{signal.Signals(number).name}: saving after this step')
        self.stop = True

    def on_train_start(self, trainer, learner):
        # Finish the step in hand and save when interrupted or terminated. Lightning, which would
        # raise an exception instead, has set its handlers by now and restores them at the end.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        stage = learner.stage
        count = learner.recipe.validation_sequences
        if learner.recorded is not None:
            self.videos = learner.recorded.validation_clips(stage, count)
        else:
            self.videos = validation_videos(learner.recipe.scene_at(stage), count, stage.frames,
                                            stage.action_frame)
        self.saved = self.resumed = time.monotonic()
        self.started_at, self.seconds = learner.step, learner.record['seconds']

    def on_train_batch_end(self, trainer, learner, outputs, batch, batch_idx):
        now = time.monotonic()
        self.stop = trainer.strategy.reduce_boolean_decision(
            self.stop or now > self.deadline, all=False)
        last = learner.step == learner.stage.steps
        learner.record['seconds'] = self.seconds + now - self.resumed
        if learner.step % self.validate_every == 0 or last:
            self._validate(trainer, learner, float(outputs['loss']))
        if self.stop or last or now - self.saved > self.save_every_s:
            self.saved = now
            if trainer.is_global_zero:
                save_state(self.folder / STATE, learner.state())
        trainer.should_stop = trainer.should_stop or self.stop

    def _validate(self, trainer, learner, loss: float) -> None:
        if not trainer.is_global_zero:
            return
        scores = validate(learner.average, self.videos, learner.stage.schedule)
        steps = learner.step - self.started_at
        rate = steps * learner.stage.batch / (time.monotonic() - self.resumed)
        entry = {'stage': learner.stage.name, 'step': learner.step, 'loss': loss,
                 'seconds': round(learner.record['seconds']), **scores}
        # NaN is not JSON; what is not known yet is left out.
        learner.record['stages'].append({
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in entry.items() if value == value})
        terms = {name: float(getattr(learner.last_free_energy, name).sum(-1).mean())
                 for name in ('reconstruction', 'dynamics', 'action', 'state_entropy',
                              'action_entropy')}
        curves = {'loss': loss, 'gradient_norm': float(learner.gradient_norm),
                  'sequences_per_s': rate, 'D': float(learner.model.dynamics.D.detach().norm()),
                  'skipped_steps': float(learner.skipped),
                  **{f'validation/{name}': value for name, value in scores.items()},
                  **{f'free_energy/{name}': value for name, value in terms.items()}}
        if trainer.logger is not None:
            trainer.logger.log_metrics(curves, learner.record['sequences'])
        left = (learner.stage.steps - learner.step) * learner.stage.batch / max(rate, 1e-9)
        measured = f"MSE {scores['mse']:.5f}"
        if 'ari' in scores:  # the truth is known
            measured = (f"ARI {scores['ari']:.3f}  FARI {scores['fari']:.3f}  {measured}  "
                        f"found {scores['found']:.2f}  position R2 {scores['position_r2']:.2f}")
        self.say(f"{learner.stage.name} {learner.step}/{learner.stage.steps}  loss {loss:.4f}  "
                 f"{measured}  |D| {curves['D']:.3f}  skipped {learner.skipped}  "
                 f"{rate:.1f} sequences/s  "
                 f"stage ends in {datetime.timedelta(seconds=round(left))}")


def train(recipe: Recipe, folder: Path, seed: int = 0, resume: bool = False,
          minutes: float = float('inf'), validate_every: int = 500, save_every_s: float = 120.0,
          accelerator: str = 'auto', devices: int | str = 1, nodes: int = 1,
          strategy: str = 'auto', begin_with: Checkpoint | None = None, begin_at: str = '',
          data: Path | None = None, image_topic: str = '', resize: str = 'crop',
          say=print) -> bool:
    """
    Run a recipe; return whether it came to its end.

    folder: where state, TensorBoard curves and weights go. resume: continue from the state in
    the folder, whose recipe and seed then count. minutes: stop and save after so long.
    begin_with: a model whose weights are carried over to the first stage instead of random ones.
    begin_at: name of the stage to begin at, leaving out those before; '' for the first.
    data, image_topic, resize: recordings to learn from instead of the simulator, see
    `recorded.read_footage`.
    """
    if resume:
        learner = Learner.resumed(load_state(folder / STATE))
        say(f'resuming {learner.stage.name} at step {learner.step} of {learner.stage.steps}')
    else:
        learner = Learner(recipe, seed, recipe.index_of(begin_at) if begin_at else 0)
        if begin_with is not None:
            learner.begin_with(begin_with)
    _take_data(learner, data, image_topic, resize, say)
    folder.mkdir(parents=True, exist_ok=True)
    learner.record.update(hardware=hardware(), torch=torch.__version__)
    books = Bookkeeping(folder, minutes, validate_every, save_every_s, say)
    # What Lightning says at its start is about Lightning; what it warns of is meant: the loader
    # yields step numbers only, and a stage may be shorter than the interval between logs.
    logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', module='lightning')
        while True:
            trainer = L.Trainer(
                accelerator=accelerator, devices=devices, num_nodes=nodes, strategy=strategy,
                max_epochs=1, callbacks=[books],
                logger=TensorBoardLogger(folder, name='curves', version=''),
                enable_checkpointing=False, enable_model_summary=False,
                enable_progress_bar=sys.stderr.isatty(), use_distributed_sampler=False,
                log_every_n_steps=50)
            if learner.step < learner.stage.steps:
                trainer.fit(learner)
            if books.stop:
                say(f'stopped at step {learner.step} of {learner.stage.name}; '
                    f'`obai train --resume` continues from {folder / STATE}')
                break
            if learner.stage_index + 1 == len(learner.recipe.stages):
                break
            learner = learner.next_stage()
    finished = not books.stop
    if trainer.is_global_zero:
        path = folder / f'{learner.recipe.model.preset}.safetensors'
        save_checkpoint(path, learner.average, training_record(learner, finished),
                        learner.stage.schedule)
        say(f'weights: {path}')
    return finished


def _take_data(learner: Learner, path: Path | None, image_topic: str, resize: str, say) -> None:
    """Let a learner learn from recordings. Raises ValueError when they do not go together."""
    before = learner.record.get('data')
    if path is None:
        if before is not None:
            raise ValueError(f'this run learned from {before["name"]}: continue it with --data')
        return
    if before is None and learner.record['sequences']:
        raise ValueError('this run learned from the simulator: continue it without --data, or '
                         'begin another one from its weights with --weights')
    footage = read_footage(path, learner.recipe.model.image_size, image_topic, resize)
    facts = {'name': path.resolve().name, 'frames': footage.frames, 'pieces': footage.pieces,
             'actions': len(footage.points)}
    if before is not None and before != facts:
        raise ValueError(f'this run learned from {before}, but {path} is {facts}: continue it '
                         f'with what it began with')
    learner.recorded = Recorded(footage, facts['name'])
    learner.recorded.check(learner.recipe.stages)
    learner.record['data'] = facts
    say(f"{facts['name']}: {footage.frames} frames in {footage.pieces} unbroken pieces, "
        f"{len(footage.points)} accelerations, "
        f"{'with' if footage.labels is not None else 'without'} the truth")


def training_record(learner: Learner, finished: bool) -> dict:
    """Return what a model card says about how a model came to be."""
    return {'finished': finished, 'seed': learner.seed, 'stage': learner.stage.name,
            'step': learner.step, **learner.record, 'recipe': learner.recipe.to_dict()}


def hardware() -> str:
    """Return a few words about this machine."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'{platform.machine()} CPU, {torch.get_num_threads()} of {os.cpu_count()} cores'
