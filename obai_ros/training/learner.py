# SPDX-License-Identifier: Apache-2.0
"""One stage of a training run, as a Lightning module."""
from __future__ import annotations

import math

import lightning as L
import torch
from torch.utils.data import DataLoader

from obai_ros.environment.sequences import Sequences, sample_sequences
from obai_ros.model.checkpoint import Checkpoint, CheckpointError
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.training.carry_over import carried_over
from obai_ros.training.chance import generator_of
from obai_ros.training.muon import Muon
from obai_ros.training.objective import composite_loss
from obai_ros.training.recipe import Recipe
from obai_ros.training.recorded import Clips, Recorded
from obai_ros.training.stage import Stage
from obai_ros.training.state import TrainingState, moments_of, restore_moments
from obai_ros.training.streams import Streams


def draw_batch(recipe: Recipe, stage_index: int, seed: int, step: int, shard: int, shards: int,
               device, recorded: Recorded | None = None) -> tuple[Sequences | Clips, Noise]:
    """
    Return the videos of one step and the noise to infer them with.

    recorded: where to take the videos from; None: from the simulator.

    A step's batch consists of `shards` equal parts, one for each process. Each part depends on
    seed, stage, step and its own number only: a resumed run continues with the very same data.
    """
    stage = recipe.stages[stage_index]
    share = stage.share(shards)
    generator = generator_of(device, seed, stage_index, step, shard)
    if recorded is not None:
        clips = recorded.draw(stage, share, generator, device)
        return clips, Noise(generator, device)
    videos = sample_sequences(recipe.scene_at(stage), share, stage.frames,
                              generator, device, (stage.action_frame,),
                              stage.background_points)
    return videos, Noise(generator, device)


def learning_rate(stage: Stage, step: int, cuts: int = 0) -> float:
    """
    Return the rate of optimiser step `step` (from 0): linear warm-up, then a cosine.

    cuts: how often the rate has been cut, for a stage that cuts it on a plateau instead.
    """
    if stage.plateau is not None:
        rate = max(stage.learning_rate / 3.0 ** cuts, stage.final_learning_rate)
    else:
        cosine = 0.5 * (1.0 + math.cos(math.pi * step / stage.steps))
        rate = (stage.final_learning_rate
                + (stage.learning_rate - stage.final_learning_rate) * cosine)
    return rate * min(1.0, (step + 1) / stage.warmup)


def watch_plateau(stage: Stage, step: int, loss: float, before: dict | None) -> dict:
    """
    Return what to remember of a stage's validation loss: the lowest, since when, the cuts made.

    before: what this returned last; None at the first validation of a stage.
    """
    if before is None or loss < before['lowest']:
        return {'lowest': loss, 'step': step, 'cuts': before['cuts'] if before else 0}
    if step - before['step'] >= stage.plateau:
        return {**before, 'step': step, 'cuts': before['cuts'] + 1}
    return before


def make_optimizer(recipe: Recipe, model: Obai, rate: float) -> torch.optim.Optimizer:
    """Return the recipe's optimiser of a model's weights, at some learning rate."""
    if recipe.optimizer == 'muon':
        return Muon(list(model.named_parameters()), rate)
    return torch.optim.Adam(model.parameters(), rate)


def temperature(stage: Stage, step: int) -> float | None:
    """Return the Gumbel-softmax temperature of a step: geometric from start to end."""
    if stage.temperature is None:
        return None
    progress = step / max(stage.steps - 1, 1)
    return stage.temperature * (stage.final_temperature / stage.temperature) ** progress


class Learner(L.LightningModule):
    """Holds the model of a stage, its moving average, and how far the stage has come."""

    def __init__(self, recipe: Recipe, seed: int, stage_index: int = 0):
        super().__init__()
        self.recipe, self.seed, self.stage_index = recipe, seed, stage_index
        self.stage = recipe.stages[stage_index]
        self.average = Obai(recipe.inferring_at(self.stage), recipe.precision)
        torch.manual_seed(seed)
        self.model = Obai(recipe.model_at(self.stage), recipe.precision)
        self.average.load_state_dict(self.model.state_dict())
        self.average.requires_grad_(False)
        self.step = 0
        self.skipped = 0
        self.moments: dict = {}
        self.record: dict = {'stages': [], 'sequences': 0, 'seconds': 0.0}
        self.recorded: Recorded | None = None
        self.streams: Streams | None = None
        self.streams_before: tuple[dict, ...] = ()  # of each process, when the state was saved

    @staticmethod
    def resumed(state: TrainingState) -> Learner:
        """Return the learner that a state was taken from."""
        learner = Learner(state.recipe, state.seed, state.stage)
        try:
            learner.model.load_state_dict(state.model)
            learner.average.load_state_dict(state.average)
        except RuntimeError as error:
            raise CheckpointError('the weights of the state do not fit its recipe: resume from '
                                  f'another one ({error})') from error
        learner.step, learner.moments = state.step, state.moments
        learner.record = state.record
        learner.streams_before = state.streams
        return learner

    def next_stage(self) -> Learner:
        """Return the learner of the stage after this one, with weights carried over."""
        learner = Learner(self.recipe, self.seed, self.stage_index + 1)
        learner._carry_over(self.average)
        learner.record, learner.recorded = self.record, self.recorded
        learner.record.pop('plateau', None)
        return learner

    def begin_with(self, checkpoint: Checkpoint) -> None:
        """Take over the weights of a trained model, and the memory of how it was trained."""
        self._carry_over(checkpoint.model)
        self.record['before'] = {'model_id': checkpoint.model_id, **checkpoint.record}

    def _carry_over(self, model: Obai) -> None:
        weights = carried_over(model.state_dict(), model.config, self.model.config)
        self.model.load_state_dict(weights)
        self.average.load_state_dict(weights)

    @property
    def total_steps(self) -> int:
        """Optimiser steps done, those of earlier stages included."""
        return self.step + sum(stage.steps for stage in self.recipe.stages[:self.stage_index])

    def state(self) -> TrainingState:
        """Return everything needed to continue from here; with streams all processes take part."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        names = [name for name, _ in self.model.named_parameters()]
        return TrainingState(self.recipe, self.seed, self.stage_index, self.step,
                             self.model.state_dict(), self.average.state_dict(),
                             moments_of(optimizer, names), self.record,
                             self.streams.of_all_processes() if self.streams else ())

    def configure_optimizers(self):
        optimizer = make_optimizer(self.recipe, self.model, self.stage.learning_rate)
        names = [name for name, _ in self.model.named_parameters()]
        restore_moments(optimizer, names, self.moments)
        return optimizer

    def train_dataloader(self):
        """Yield the numbers of the steps that are left; data are drawn where they are used."""
        return DataLoader(range(self.step, self.stage.steps), batch_size=None)

    def on_train_batch_start(self, batch, batch_idx):
        for group in self.optimizers(use_pl_optimizer=False).param_groups:
            group['lr'] = learning_rate(self.stage, self.step,
                                        self.record.get('plateau', {}).get('cuts', 0))

    def on_train_start(self):
        """Begin the streams of the stage, or go on with those of the run that is resumed."""
        if self.stage.streams:
            self.streams = Streams(self.recipe, self.stage_index, self.seed, self.device,
                                   self.global_rank, self.trainer.world_size)
            # Others have other shares of a batch.
            if len(self.streams_before) == self.trainer.world_size:
                self.streams.restore(self.streams_before[self.global_rank])

    def training_step(self, step, batch_idx):
        step = int(step)
        heat = temperature(self.stage, step)
        if self.streams:
            objective = self.streams.learn(self.model, step, heat)
        else:
            videos, noise = draw_batch(self.recipe, self.stage_index, self.seed, step,
                                       self.global_rank, self.trainer.world_size, self.device,
                                       self.recorded)
            objective = composite_loss(self.model, videos.images, videos.actions,
                                       self.stage.schedule, noise, heat)
        self.last_free_energy = objective.final.free_energy
        return objective.loss

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None,
                                    gradient_clip_algorithm=None):
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        # Without gradients an optimiser leaves everything as it is: a step that would have spread
        # a NaN into all weights is left out instead.
        if not bool(torch.isfinite(norm)):
            optimizer.zero_grad(set_to_none=True)
            self.skipped += 1
            if self.streams:
                self.streams.forget(self.step)
        self.gradient_norm = norm

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.step += 1
        self.record['sequences'] += self.stage.batch
        self._follow()

    @torch.no_grad()
    def _follow(self):
        # The average follows closely at first: its memory grows with the steps of the run.
        decay = min(self.recipe.average, self.total_steps / (self.total_steps + 10.0))
        for average, weight in zip(self.average.parameters(), self.model.parameters()):
            average.lerp_(weight, 1.0 - decay)
