# SPDX-License-Identifier: Apache-2.0
"""Table 1 and Figures 2 to 4 of the paper, with one model."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from obai_ros.chart import BLUE, chart
from obai_ros.model.belief import Belief
from obai_ros.model.checkpoint import Checkpoint
from obai_ros.model.engines.choice import direct_engine
from obai_ros.model.filter import predict
from obai_ros.model.inference import infer_clip
from obai_ros.model.noise import Noise
from obai_ros.model.percept import Percept, perceive
from obai_ros.model.schedule import Schedule
from obai_ros.planning.feef import eq14
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.preference import GoalError
from obai_ros.report.annotation import with_cross, with_heads
from obai_ros.report.history import Leg, totals
from obai_ros.report.page import Page
from obai_ros.training.dataset import Dataset
from obai_ros.training.evaluation import PAPER
from obai_ros.training.operations import OperationCounter
from obai_ros.training.pictures import enlarged, segmentation_sheet, side_by_side
from obai_ros.training.validation import perceive_clip

SEEN = 4
"""Frames that are inferred; the others are predicted."""
SHOWN = 4
"""Sequences in a figure."""
PLACES = {'to the centre': (0.5, 0.5), 'to the top left': (0.3, 0.3)}
"""Where the actions of Figure 4 lead to, (x, y) as fractions of the image."""
FEW = 300
"""With fewer sequences than this scores are rough."""


@dataclass(frozen=True)
class Shown:
    """
    What is to be seen of the first sequences, B of them.

    images [B, T, 3, H, W]; percepts: of the first SEEN frames. imagined: pictures [B, 3, H, W] of
    what comes of actions, by where they lead to, for Figure 4; without any, `missing` says why.
    operations: floating-point operations that inferring a sequence took, convolutions and matrix
    products; a multiplication and an addition count as two.
    """

    images: Tensor
    percepts: list[Percept]
    imagined: list[Tensor]
    missing: str
    operations: int


@torch.no_grad()
def show(checkpoint: Checkpoint, bank: GoalBank | None, dataset: Dataset, schedule: Schedule,
         bankless: str = 'there is no goal bank for this model') -> Shown:
    """
    Infer and imagine what the figures show: quick, and all that can go wrong with a bank.

    bank: of the model, for Figure 4; None leaves it out, and `bankless` says why.
    """
    images, _, fields = dataset.part(0, SHOWN, checkpoint.model.device)
    seen = min(SEEN, dataset.frames)
    noise = Noise.seeded(range(len(images)), checkpoint.model.device)
    with OperationCounter() as counter:
        belief = infer_clip(checkpoint.model, images[:, :seen], fields[:seen], schedule, noise,
                            direct_engine(checkpoint.model))
    percepts = perceive_clip(checkpoint.model, belief, images)
    imagined, missing = [], bankless
    if bank is not None:
        try:
            imagined, missing = _imagine(checkpoint, bank, percepts[0]), ''
        except GoalError as error:
            missing = str(error)
    return Shown(images, percepts, imagined, missing, counter.total // len(images))


def _imagine(checkpoint: Checkpoint, bank: GoalBank, now: Percept) -> list[Tensor]:
    """Return what actions of eq. 14 lead to. Raises GoalError where there are no such actions."""
    model, size = checkpoint.model, checkpoint.config.image_size
    # As in the paper: a still image, so that eq. 14, which leaves out the velocity, is right.
    resting = Belief(now.belief.mean, torch.zeros_like(now.belief.velocity), now.belief.log_sd,
                     now.belief.velocity_log_sd)
    pictures = []
    for place in PLACES.values():
        goal = bank.toward((place[0] * size, place[1] * size), sd_px=4.0)
        try:
            action = eq14(resting.mean, goal.expand(*resting.mean.shape[:2]),
                          model.dynamics.D.detach())
        except torch.linalg.LinAlgError as error:
            raise GoalError('eq. 14 has no solution, because D of this model is singular: it has '
                            'not learned what accelerations do') from error
        still = torch.arange(action.shape[1], device=action.device) == now.background[:, None]
        action = action.masked_fill((still | now.empty)[..., None], 0.0)
        moved = model.dynamics.push(action)
        imagined = perceive(model, Belief(resting.mean + moved, resting.velocity,
                                          resting.log_sd, resting.velocity_log_sd))
        pictures.append(imagined.reconstruction())
    return pictures


def reproduce(checkpoint: Checkpoint, shown: Shown, scores: dict, schedule: Schedule,
              seed: int, legs: list[Leg], folder: Path) -> Path:
    """
    Write report.html and its figures, all or none; return the page's path.

    shown: what `show` made of the data set; scores: what `evaluate_dataset` found on it; seed: of
    it. legs: how the model was trained, see `history`.
    """
    page = Page('Object-based active inference: the paper\'s table and figures', folder)
    page.paragraph(
        f'Model {checkpoint.model_id} (preset {checkpoint.config.preset}, '
        f'{checkpoint.model.num_parameters():,} parameters), beside the numbers of van Bergen and '
        f'Lanillos (2022). {schedule.iterations} refinements per frame, {schedule.at(0)} on the '
        f'first, {schedule.window} frames refined together, '
        f'{schedule.starts} {"start" if schedule.starts == 1 else "starts"}, '
        f'{schedule.births} births, {schedule.descent} steps of descent.')
    _table(page, scores, schedule, seed, shown.operations)
    _segmentation(page, shown)
    if shown.images.shape[1] > SEEN:
        _prediction(page, checkpoint, shown, scores)
    _goals(page, shown)
    _history(page, legs)
    return page.write()


def _table(page: Page, scores: dict, schedule: Schedule, seed: int, operations: int) -> None:
    page.heading('Table 1 and section 3.2: segmentation, reconstruction, prediction')
    names = {'ari': 'ARI', 'fari': 'FARI', 'mse': 'MSE', 'prediction_mse': 'prediction MSE'}
    rows = []
    for name, title in names.items():
        if name not in scores:
            continue
        digits = '.3f' if 'ari' in name else '.2e'
        low, high = scores['ci95'][name]
        rows.append([title, format(scores[name], digits), f'{low:{digits}} to {high:{digits}}',
                     format(PAPER[name], digits), format(scores['ceiling'][name], digits)
                     if name in scores['ceiling'] else ''])
    page.table(['', 'this model', '95 % interval', 'paper', 'by colour alone'], rows)
    begun = ('Slots begin at patches that stand out' if schedule.seeds
             else f'The first frame is begun {schedule.starts} times')
    page.paragraph(
        f"{scores['sequences']:,} fresh sequences of seed {seed}, {scores['frames_seen']} frames "
        f'seen, which takes {_large(operations)} floating-point operations each and '
        f"{_large(operations * scores['sequences'])} in all (convolutions and matrix products). "
        f'Every pixel has the colour of its most probable slot. {begun}, and up '
        f'to {schedule.births} objects that no slot explains are given one; the paper does '
        f'neither. By colour alone: the score of connected pieces of one colour, without any '
        f'model.')
    if scores['sequences'] < FEW:
        page.paragraph(
            f"{scores['sequences']} sequences are few: such scores are rough, as the intervals "
            f'show, and others with another seed. From some hundreds on (--sequences) they can be '
            f'compared.')


def _segmentation(page: Page, shown: Shown) -> None:
    page.heading('Figure 2: reconstruction and masks')
    objects = shown.percepts[0].masks.shape[1] - 1
    heads = ['frame', 'reconstruction', 'background',
             *(f'object slot {number}' for number in range(1, objects + 1))]
    sheet = segmentation_sheet(shown.images, shown.percepts, scale=2)
    page.picture('figure2', with_heads(sheet, heads),
                 'Each row: a frame, its reconstruction, and what each slot shows where its mask '
                 'is, on white. The background has a slot of its own: its mask is all that no '
                 'object covers, and white where one does. A slot that is white all over holds no '
                 f'object, or a white one. {len(shown.percepts)} frames of each sequence; an '
                 'action field acts on the second.')


def _prediction(page: Page, checkpoint: Checkpoint, shown: Shown, scores: dict) -> None:
    page.heading('Figure 3: prediction of future frames')
    images, percepts = shown.images, shown.percepts
    future = images.shape[1] - SEEN
    predicted = predict(checkpoint.model, percepts[-1].belief, future,
                        confined=True).images
    rows = []
    for sequence in range(images.shape[0]):
        seen = [percept.reconstruction()[sequence] for percept in percepts]
        rows += [side_by_side([*images[sequence]], 2),
                 side_by_side([*seen, *predicted[sequence]], 2)]
    sheet = side_by_side(rows, 1)
    heads = [f'frame {frame}' + ('' if frame <= SEEN else ', unseen')
             for frame in range(1, images.shape[1] + 1)]
    page.picture('figure3', with_heads(enlarged(sheet, 2), heads),
                 f'Pairs of rows: what happens, and below it what is inferred (the first {SEEN} '
                 f'frames) and predicted (the rest).')
    errors = scores['per_frame']['mse'] + scores['per_frame']['prediction_mse']
    figure, ((axes,),) = chart(6.0, 3.0, grid=False)
    frames = range(1, len(errors) + 1)
    axes.plot(frames, errors, marker='o', color=BLUE)
    axes.axvspan(SEEN + 0.5, len(errors) + 0.5, color='#eeeeee', zorder=0)
    axes.set(xlabel='frame', ylabel='MSE', xlim=(0.5, len(errors) + 0.5), ylim=(0, None))
    page.curve('figure3_mse', figure, 'Mean squared error per frame; grey: predicted frames.')


def _goals(page: Page, shown: Shown) -> None:
    page.heading('Figure 4: imagined goal-directed action')
    if not shown.imagined:
        page.paragraph(f'Left out: {shown.missing}.')
        return
    side = shown.images.shape[-1]
    rows = []
    for still, *imagined in zip(shown.images[:, 0], *shown.imagined):
        rows.append(side_by_side([enlarged(still, 3), *(
            with_cross(enlarged(picture, 3), 3 * side * x, 3 * side * y)
            for picture, (x, y) in zip(imagined, PLACES.values()))], 2))
    heads = ['still image', *(f'imagined, {name}' for name in PLACES)]
    page.picture('figure4', with_heads(side_by_side(rows, 1), heads),
                 'A still image, and what the model imagines after the action of eq. 14 towards '
                 'the goal, which a cross marks.')


def _history(page: Page, legs: list[Leg]) -> None:
    page.heading('How the model was trained')
    if not legs:
        page.paragraph('The weights do not say.')
        return
    total = totals(legs)
    counted = sum(leg.total_operations is not None for leg in legs)
    head = ['stage', 'steps', 'seed', 'sequences', 'FLOPs per sequence', 'FLOPs', 'time',
            'hardware']
    rows = [[leg.stage, _whole(leg.steps), '?' if leg.seed is None else str(leg.seed),
             _whole(leg.sequences), _large(leg.operations), _large(leg.total_operations),
             _minutes(leg.seconds), leg.hardware] for leg in legs]
    if not counted:  # of teaching, nothing but question marks
        head, *rows = ([*row[:4], *row[6:]] for row in (head, *rows))
    page.table(head, rows)
    operations = (
        f", and {_large(total['operations'])} floating-point operations in {counted} of "
        f'{len(legs)} stages, which is as far as the record tells: the convolutions and matrix '
        f'products of the loss and its gradient, counted with one sequence')
    page.paragraph(
        f"In all {_whole(total['steps'])} steps, {_whole(total['sequences'])} sequences, "
        f"{_minutes(total['seconds'])}{operations if counted else ''}. The paper: 12 million "
        f'sequences, four GPUs.')


def _whole(value: int | None) -> str:
    return '?' if value is None else f'{value:,}'


def _large(value: float | None) -> str:
    return '?' if value is None else f'{value:.2e}'


def _minutes(seconds: float | None) -> str:
    return '?' if seconds is None else f'{seconds / 60:.0f} min'
