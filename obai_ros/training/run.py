# SPDX-License-Identifier: Apache-2.0
"""A training run from beginning to end, or from where it was interrupted."""
from __future__ import annotations

import logging
import os
import platform
import shlex
import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from obai_ros.model.checkpoint import Checkpoint, save_checkpoint
from obai_ros.model.device import choose_precision
from obai_ros.training.bookkeeping import Bookkeeping, STATE
from obai_ros.training.learner import Learner
from obai_ros.training.recipe import preset_path, Recipe
from obai_ros.training.recorded import Recorded, Recordings
from obai_ros.training.stage import Stage
from obai_ros.training.state import load_state


@dataclass(frozen=True)
class Hardware:
    """
    What a run computes on, in the words of Lightning's Trainer.

    accelerator: auto, cpu or gpu. devices: how many processes or GPUs of a node, or which GPUs.
    nodes: how many machines. strategy: auto, or ddp for several devices.
    """

    accelerator: str = 'auto'
    devices: int | list[int] = 1
    nodes: int = 1
    strategy: str = 'auto'

    @property
    def device(self) -> torch.device:
        """What kind of device that is."""
        gpu = self.accelerator == 'gpu' or (self.accelerator == 'auto'
                                            and torch.cuda.is_available())
        return torch.device('cuda' if gpu else 'cpu')

    @property
    def processes(self) -> int:
        """How many processes compute together."""
        return self.nodes * (self.devices if isinstance(self.devices, int) else len(self.devices))

    def arguments(self) -> list[str]:
        """Return what asks `obai train` for it, as far as it would not be chosen anyway."""
        words = []
        if isinstance(self.devices, list):
            words += ['--device', f'cuda:{self.devices[0]}']
        elif self.accelerator == 'cpu' and torch.cuda.is_available():
            words += ['--device', 'cpu']
        if isinstance(self.devices, int) and self.devices > 1:
            words += ['--devices', str(self.devices)]
        if self.nodes > 1:
            words += ['--nodes', str(self.nodes)]
        return words + (['--strategy', self.strategy] if self.strategy != 'auto' else [])


def train(recipe: Recipe, folder: Path, seed: int = 0, resume: bool = False,
          begin_with: Checkpoint | None = None, begin_at: str = '',
          recordings: Recordings | None = None, hardware: Hardware = Hardware(),
          minutes: float = float('inf'), until: int | None = None, validate_every: int = 500,
          save_every_s: float = 120.0, say=print) -> bool:
    """
    Run a recipe; return whether it came to its end, or as far as it should.

    folder: where state, TensorBoard curves and weights go. seed: of weights, videos and noise.
    resume: continue from the state in the folder, whose recipe and seed then count; exactly, with
    as many processes.
    begin_with: a model whose weights are carried over to the first stage instead of random ones.
    begin_at: name of the stage to begin at, leaving out those before; '' for the first.
    recordings: what to learn from instead of the simulator.
    hardware: what to compute on; it chooses what the precision `auto` is, which a run then keeps.
    minutes: stop and save after so long. until: end after so many steps, counted over all stages.
    validate_every: so many steps, and at the end of a stage; save_every_s: seconds.
    say(sentence): for people, of the first process.
    Raises ValueError, in a sentence, for what does not go together, before any work.
    """
    if rank_zero_only.rank:  # of several processes one speaks
        def say(sentence):
            pass
    if resume:
        learner = Learner.resumed(load_state(folder / STATE))
        _precise(learner.recipe, hardware, say)
        say(f'resuming {learner.stage.name} at step {learner.step} of {learner.stage.steps}')
        if learner.streams_before and len(learner.streams_before) != hardware.processes:
            say(f'its streams were those of {len(learner.streams_before)} processes: with '
                f'{hardware.processes} they begin anew')
    else:
        recipe = _precise(recipe, hardware, say)
        learner = Learner(recipe, seed, recipe.index_of(begin_at) if begin_at else 0)
        if begin_with is not None:
            learner.begin_with(begin_with)
    for stage in learner.recipe.stages[learner.stage_index:]:
        stage.share(hardware.processes)
    _take_data(learner, recordings, say)
    folder.mkdir(parents=True, exist_ok=True)
    learner.record.update(hardware=machine(), torch=torch.__version__)
    books = Bookkeeping(folder, minutes, validate_every, save_every_s, until, say)
    # What Lightning says at its start is about Lightning; what it warns of is meant: the loader
    # yields step numbers only, and a stage may be shorter than the interval between logs.
    logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', module='lightning')
        while True:
            trainer = L.Trainer(
                accelerator=hardware.accelerator, devices=hardware.devices,
                num_nodes=hardware.nodes, strategy=lenient(hardware.strategy, learner.stage),
                max_epochs=1, callbacks=[books],
                logger=TensorBoardLogger(folder, name='curves', version=''),
                enable_checkpointing=False, enable_model_summary=False,
                enable_progress_bar=sys.stderr.isatty(), use_distributed_sampler=False,
                log_every_n_steps=50)
            if learner.step < learner.stage.steps:
                trainer.fit(learner)
            if books.far_enough:
                return True
            if books.stop:
                if trainer.is_global_zero:
                    command = resuming(folder, recordings, hardware)
                    say(f'stopped at step {learner.step} of {learner.stage.name}' + (
                        '' if until else f'; `{command}` continues'))
                break
            if learner.stage_index + 1 == len(learner.recipe.stages):
                break
            learner = learner.next_stage()
    finished = not books.stop
    if trainer.is_global_zero:
        path = folder / f'{learner.recipe.model.preset}.safetensors'
        save_checkpoint(path, learner.average, training_record(learner, finished),
                        learner.recipe.schedule_at(learner.stage))
        say(f'weights: {path}')
    return finished


def resuming(folder: Path, recordings: Recordings | None, hardware: Hardware = Hardware()) -> str:
    """Return the command that continues a run, which learns from these recordings, as exactly."""
    words = ['obai', 'train', '--resume', '--out', str(folder)] + hardware.arguments()
    if recordings is not None:
        words += ['--data', str(recordings.path), '--resize', recordings.resize]
        words += ['--image-topic', recordings.image_topic] if recordings.image_topic else []
    return shlex.join(words)


def _precise(recipe: Recipe, hardware: Hardware, say) -> Recipe:
    """Return a recipe with the precision that is used, and say what there is to say about it."""
    precision, warning = choose_precision(recipe.precision, hardware.device, emulate=True)
    if warning:
        say(f'warning: {warning}')
    return replace(recipe, precision=precision)


def lenient(strategy: str, stage: Stage) -> str:
    """
    Return the strategy, but that parameters without a gradient are no error where there are some:
    streams that are gone on with do not begin with lambda_0.
    """
    if strategy == 'ddp' and stage.streams:
        return 'ddp_find_unused_parameters_true'
    return strategy


def _take_data(learner: Learner, recordings: Recordings | None, say) -> None:
    """Let a learner learn from recordings. Raises ValueError when they do not go together."""
    before = learner.record.get('data')
    if recordings is None:
        if before is not None:
            raise ValueError(f'this run learned from {before["name"]}: continue it with --data')
        return
    if before is None and learner.record['sequences']:
        raise ValueError('this run learned from the simulator: continue it without --data, or '
                         'begin another one from its weights with --weights')
    streams = [stage.name for stage in learner.recipe.stages if stage.streams]
    if streams:
        raise ValueError(f'stage {streams[0]!r} learns from streams, which only the simulator '
                         f'has: with --data choose a recipe without `streams`, such as '
                         f'--recipe {preset_path("recorded")}')
    footage = recordings.footage(learner.recipe.model.image_size)
    facts = {'name': recordings.path.resolve().name, 'frames': footage.frames,
             'pieces': footage.pieces, 'actions': len(footage.points),
             'resize': recordings.resize, 'origin': footage.origin}
    # Runs of before these were kept know less of what they learned from.
    if before is not None and before != {name: facts.get(name) for name in before}:
        raise ValueError(f'this run learned from {before}, but {recordings.path} is {facts}: '
                         f'continue it with what it began with, --resize and --image-topic too')
    learner.recorded = Recorded(footage, facts['name'])
    learner.recorded.check(learner.recipe.stages)
    learner.record['data'] = facts
    say(f"{facts['name']}: {footage.frames} frames in {footage.pieces} unbroken pieces, "
        f"{len(footage.points)} accelerations, "
        f"{'with' if footage.labels is not None else 'without'} the truth"
        + (f' ({footage.origin})' if footage.origin else ''))


def training_record(learner: Learner, finished: bool) -> dict:
    """Return what a model card says about how a model came to be."""
    return {'finished': finished, 'seed': learner.seed, 'stage': learner.stage.name,
            'step': learner.step, **learner.record, 'recipe': learner.recipe.to_dict()}


def machine() -> str:
    """Return a few words about this machine."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'{platform.machine()} CPU, {torch.get_num_threads()} of {os.cpu_count()} cores'
