# SPDX-License-Identifier: Apache-2.0
"""What happens beside the steps of a run: saving, validating, reporting, stopping."""
from __future__ import annotations

import datetime
import signal
import sys
import time
from pathlib import Path

import lightning as L
import torch

from obai_ros.model.checkpoint import spoiled
from obai_ros.model.noise import Noise
from obai_ros.progress import Lines
from obai_ros.training.learner import Learner, watch_plateau
from obai_ros.training.objective import composite_loss
from obai_ros.training.pictures import clip_sheet
from obai_ros.training.proposals import learn_proposals
from obai_ros.training.state import save_state
from obai_ros.training.validation import validate, validation_videos

STATE = 'state.safetensors'
"""File in the run's folder from which it is resumed."""

SAVED = 'obai_ros.saved'
"""Name of the moment at which processes wait for the one that saves."""

EXAMPLES = 3
"""Validation videos of which there are pictures."""

LOOKED_AT = 64
"""Validation videos from whose first frames it is learned what to propose for births."""


class Diverged(ValueError):
    """A run whose weights are no finite numbers any more."""


class Bookkeeping(L.Callback):
    """
    Saves, validates and reports; stops the run when it is asked to, out of time or far enough.

    folder: of the run. minutes: after which it stops. until: the step, over all stages, at which
    it has gone far enough; None: at the end of the recipe.
    Raises Diverged in place of saving or validating weights that are not finite: the state that
    was saved before stays.
    """

    def __init__(self, folder: Path, minutes: float, validate_every: int, save_every_s: float,
                 until: int | None = None, say=print):
        self.folder, self.say = folder, say
        self.validate_every, self.save_every_s = validate_every, save_every_s
        self.deadline = time.monotonic() + 60.0 * minutes
        self.until = until
        self.stop = self.far_enough = False
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
        self.lines = Lines(f'obai train: {stage.name}', stage.steps, 'steps', learner.step)
        self.saved = self.resumed = time.monotonic()
        self.started_at, self.seconds = learner.step, learner.record['seconds']

    def on_train_batch_end(self, trainer, learner, outputs, batch, batch_idx):
        now = time.monotonic()
        self.stop = trainer.strategy.reduce_boolean_decision(
            self.stop or now > self.deadline, all=False)
        self.far_enough = self.until is not None and learner.total_steps >= self.until
        last = learner.step == learner.stage.steps or self.far_enough
        learner.record['seconds'] = self.seconds + now - self.resumed
        validating = learner.step % self.validate_every == 0 or last
        saving = self.stop or last or now - self.saved > self.save_every_s
        if learner.streams:  # clocks differ, and all processes have streams to be saved
            saving = trainer.strategy.reduce_boolean_decision(saving, all=False)
        if validating or saving:
            self._refuse_spoiled(learner)
        if validating:
            self._validate(trainer, learner, float(outputs['loss']))
            if learner.stage.plateau is not None:
                self._watch_plateau(trainer, learner)
        if saving:
            self.saved = now
            state = learner.state() if learner.streams or trainer.is_global_zero else None
            if trainer.is_global_zero:
                save_state(self.folder / STATE, state)
        if self.stop or last:  # what comes next may begin with the file, in all processes
            trainer.strategy.barrier(SAVED)
        if trainer.is_global_zero and not sys.stderr.isatty():  # elsewhere Lightning has a bar
            self.lines(learner.step)
        trainer.should_stop = trainer.should_stop or self.stop or self.far_enough

    def _refuse_spoiled(self, learner: Learner) -> None:
        # The same in all processes, whose weights are alike: none is left waiting for the others.
        bad = spoiled(learner.average.state_dict())
        if not bad:
            return
        kept = self.folder / STATE
        raise Diverged(
            f'at step {learner.step} of {learner.stage.name} the averaged weights are not finite '
            f'({bad[0]}), so that no more can come of this run: begin another one with a smaller '
            f'learning rate or another seed' + (
                f'; {kept} is what was saved before' if kept.exists() else ''))

    def _validate(self, trainer, learner, loss: float) -> None:
        """Fit what is not learned by gradients, score, and tell everybody."""
        if not trainer.is_global_zero:
            return
        schedule = learner.recipe.schedule_at(learner.stage)
        self._fit_proposals(learner, schedule)
        scores = validate(learner.average, self.videos, schedule)
        steps = learner.step - self.started_at
        rate = steps * learner.stage.batch / (time.monotonic() - self.resumed)
        _record(learner, loss, scores)
        if trainer.logger is not None:
            trainer.logger.log_metrics(_curves(learner, loss, scores, rate),
                                       learner.record['sequences'])
            self._draw(trainer.logger.experiment, learner)
        self.say(_progress(learner, loss, scores, rate))

    def _fit_proposals(self, learner: Learner, schedule) -> None:
        """Learn anew what is proposed for births, for the weights as they are now."""
        table = learn_proposals(learner.average, self.videos.images[:LOOKED_AT, 0], schedule)
        if table is not None:
            for model in (learner.average, learner.model):
                model.proposal.copy_(table)

    @torch.no_grad()
    def _draw(self, board, learner: Learner) -> None:
        """Show a few videos as the model sees them, and D."""
        model, videos = learner.average, self.videos
        sheet = clip_sheet(model, videos.images[:EXAMPLES].to(model.device),
                           [field[slice(EXAMPLES)].to(model.device) for field in videos.actions],
                           learner.recipe.schedule_at(learner.stage))
        sequences = learner.record['sequences']
        board.add_image('validation/frame, reconstruction, slots; prediction', sheet.cpu(),
                        sequences)
        board.add_histogram('D', model.dynamics.D.detach().cpu(), sequences)

    def _watch_plateau(self, trainer, learner: Learner) -> None:
        """Measure the loss on the validation videos, the same in all processes."""
        loss = trainer.strategy.broadcast(validation_loss(learner, self.videos))
        learner.record['plateau'] = watch_plateau(learner.stage, learner.step, loss,
                                                  learner.record.get('plateau'))


def _record(learner: Learner, loss: float, scores: dict) -> None:
    """Add scores to the record that is kept with the weights."""
    entry = {'stage': learner.stage.name, 'step': learner.step, 'loss': loss,
             'seconds': round(learner.record['seconds']), **scores}
    # NaN is not JSON; what is not known yet is left out.
    learner.record['stages'].append({
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in entry.items() if value == value})


def _curves(learner: Learner, loss: float, scores: dict, rate: float) -> dict[str, float]:
    """Return what TensorBoard shows; rate: sequences per second."""
    terms = {name: float(getattr(learner.last_free_energy, name).sum(-1).mean())
             for name in ('reconstruction', 'dynamics', 'action', 'state_entropy',
                          'action_entropy')}
    return {'loss': loss, 'gradient_norm': float(learner.gradient_norm),
            'sequences_per_s': rate, 'D': _norm_of_dynamics(learner),
            'skipped_steps': float(learner.skipped),
            **{f'validation/{name}': value for name, value in scores.items()},
            **{f'free_energy/{name}': value for name, value in terms.items()}}


def _progress(learner: Learner, loss: float, scores: dict, rate: float) -> str:
    """Return the line that says how far a stage is; rate: sequences per second."""
    left = (learner.stage.steps - learner.step) * learner.stage.batch / max(rate, 1e-9)
    measured = f"MSE {scores['mse']:.5f}"
    if 'ari' in scores:  # the truth is known
        measured = (f"ARI {scores['ari']:.3f}  FARI {scores['fari']:.3f}  {measured}  "
                    f"found {scores['found']:.2f}  position R2 {scores['position_r2']:.2f}")
    return (f"{learner.stage.name} {learner.step}/{learner.stage.steps}  loss {loss:.4f}  "
            f"{measured}  |D| {_norm_of_dynamics(learner):.3f}  skipped {learner.skipped}  "
            f"{rate:.1f} sequences/s  stage ends in {datetime.timedelta(seconds=round(left))}")


def _norm_of_dynamics(learner: Learner) -> float:
    return float(learner.model.dynamics.D.detach().norm())


def validation_loss(learner: Learner, videos, batch: int = 16) -> float:
    """Return the composite loss of the averaged weights on videos, nats per pixel."""
    model, total, count = learner.average, 0.0, len(videos.images)
    for start in range(0, count, batch):
        images = videos.images[start:start + batch].to(model.device)
        fields = [field[slice(start, start + batch)].to(model.device) for field in videos.actions]
        noise = Noise.seeded(range(start, start + len(images)), model.device)
        loss = composite_loss(model, images, fields, learner.stage.schedule, noise,
                              learning=False).loss
        total += float(loss) * len(images)
    return total / count
