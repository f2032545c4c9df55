# SPDX-License-Identifier: Apache-2.0
"""Table 1 and Figures 2 to 4 of the paper, with one model."""
from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from obai_ros.model.belief import Belief
from obai_ros.model.checkpoint import Checkpoint
from obai_ros.model.filter import predict
from obai_ros.model.inference import infer_clip
from obai_ros.model.noise import Noise
from obai_ros.model.percept import Percept, perceive
from obai_ros.model.schedule import Schedule
from obai_ros.planning.feef import eq14
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.report.page import Page
from obai_ros.training.dataset import Dataset
from obai_ros.training.evaluation import PAPER
from obai_ros.training.pictures import segmentation_sheet, side_by_side
from obai_ros.training.validation import perceive_clip

SEEN = 4
"""Frames that are inferred; the others are predicted."""
SHOWN = 4
"""Sequences in a figure."""


def reproduce(checkpoint: Checkpoint, bank: GoalBank | None, dataset: Dataset, scores: dict,
              schedule: Schedule, folder: Path) -> Path:
    """
    Write report.html and its figures; return the page's path.

    scores: what `evaluate_dataset` found on the data set. bank: for Figure 4; None leaves it out,
    and says so.
    """
    page = Page('Object-based active inference: the paper\'s table and figures', folder)
    page.paragraph(
        f'Model {checkpoint.model_id} (preset {checkpoint.config.preset}, '
        f'{checkpoint.model.num_parameters():,} parameters), beside the numbers of van Bergen and '
        f'Lanillos (2022). {schedule.iterations} refinements per frame, {schedule.at(0)} on the '
        f'first, {schedule.window} frames refined together, '
        f'{schedule.starts} {"start" if schedule.starts == 1 else "starts"}, '
        f'{schedule.births} births, {schedule.descent} steps of descent.')
    _table(page, scores, schedule)
    images, belief = _infer(checkpoint, dataset, schedule)
    percepts = perceive_clip(checkpoint.model, belief, images)
    _segmentation(page, images, percepts)
    if dataset.frames > SEEN:
        _prediction(page, checkpoint, images, percepts, scores)
    _goals(page, checkpoint, bank, images, percepts)
    _record(page, checkpoint)
    return page.write()


def _infer(checkpoint: Checkpoint, dataset: Dataset, schedule: Schedule) -> tuple[Tensor, Belief]:
    model = checkpoint.model
    images, _, fields = dataset.part(0, SHOWN, model.device)
    seen = min(SEEN, dataset.frames)
    noise = Noise.seeded(range(len(images)), model.device)
    return images, infer_clip(model, images[:, :seen], fields[:seen], schedule, noise)


def _table(page: Page, scores: dict, schedule: Schedule) -> None:
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
        f"{scores['sequences']} fresh sequences, {scores['frames_seen']} frames seen. Every pixel "
        f'has the colour of its most probable slot. {begun}, and up '
        f'to {schedule.births} objects that no slot explains are given one; the paper does '
        f'neither. By colour alone: the score of connected pieces of one colour, without any '
        f'model.')


def _segmentation(page: Page, images: Tensor, percepts: list[Percept]) -> None:
    page.heading('Figure 2: reconstruction and masks')
    page.picture('figure2', segmentation_sheet(images, percepts, scale=2),
                 'Each row: a frame, its reconstruction, and the four slots on white; four frames '
                 'of each sequence, an action field acts on the second.')


def _prediction(page: Page, checkpoint: Checkpoint, images: Tensor, percepts: list[Percept],
                scores: dict) -> None:
    import matplotlib
    matplotlib.use('Agg')  # no display is needed
    from matplotlib import pyplot

    page.heading('Figure 3: prediction of future frames')
    future = images.shape[1] - SEEN
    predicted = predict(checkpoint.model, percepts[-1].belief, future,
                        confined=True).images
    rows = []
    for sequence in range(images.shape[0]):
        seen = [percept.reconstruction()[sequence] for percept in percepts]
        rows += [side_by_side([*images[sequence]], 2),
                 side_by_side([*seen, *predicted[sequence]], 2)]
    sheet = side_by_side(rows, 1)
    page.picture('figure3', sheet.repeat_interleave(2, 1).repeat_interleave(2, 2),
                 f'Pairs of rows: what happens, and below it what is inferred (the first {SEEN} '
                 f'frames) and predicted (the rest).')
    errors = scores['per_frame']['mse'] + scores['per_frame']['prediction_mse']
    figure, axes = pyplot.subplots(figsize=(6.0, 3.0), layout='constrained')
    frames = range(1, len(errors) + 1)
    axes.plot(frames, errors, marker='o', color='#0072b2')
    axes.axvspan(SEEN + 0.5, len(errors) + 0.5, color='#eeeeee', zorder=0)
    axes.set(xlabel='frame', ylabel='MSE', xlim=(0.5, len(errors) + 0.5), ylim=(0, None))
    axes.spines[['top', 'right']].set_visible(False)
    page.curve('figure3_mse', figure, 'Mean squared error per frame; grey: predicted frames.')
    pyplot.close(figure)


def _goals(page: Page, checkpoint: Checkpoint, bank: GoalBank | None, images: Tensor,
           percepts: list[Percept]) -> None:
    page.heading('Figure 4: imagined goal-directed action')
    if bank is None:
        page.paragraph('Left out: there is no goal bank for this model. `obai learn-goals` makes '
                       'one.')
        return
    model, size = checkpoint.model, checkpoint.config.image_size
    now = percepts[0]
    # As in the paper: a still image, so that eq. 14, which leaves out the velocity, is right.
    resting = Belief(now.belief.mean, torch.zeros_like(now.belief.velocity), now.belief.log_sd,
                     now.belief.velocity_log_sd)
    columns = [[image for image in images[:, 0]]]
    for place in ((0.5, 0.5), (0.3, 0.3)):
        goal = bank.toward((place[0] * size, place[1] * size), sd_px=4.0)
        action = eq14(resting.mean, goal.expand(*resting.mean.shape[:2]),
                      model.dynamics.D.detach())
        still = torch.arange(action.shape[1], device=action.device) == now.background[:, None]
        action = action.masked_fill((still | now.empty)[..., None], 0.0)
        moved = model.dynamics.push(action)
        imagined = perceive(model, Belief(resting.mean + moved, resting.velocity,
                                          resting.log_sd, resting.velocity_log_sd))
        columns.append([image for image in imagined.reconstruction()])
    rows = [side_by_side(list(row), 2) for row in zip(*columns)]
    page.picture('figure4', side_by_side(rows, 1).repeat_interleave(3, 1).repeat_interleave(3, 2),
                 'A still image, and what the model imagines after the action of eq. 14 towards '
                 'the centre and towards the top left.')


def _record(page: Page, checkpoint: Checkpoint) -> None:
    page.heading('How the model was trained')
    rows, record = [], checkpoint.record
    while record:
        stage = f"{record.get('stage', '')}, {record.get('step', record.get('steps', '?'))} steps"
        rows.append([stage, f"{record.get('sequences', 0):,}",
                     f"{record.get('seconds', 0) / 60:.0f} min", record.get('hardware', '')])
        record = record.get('before')
    page.table(['last stage', 'sequences', 'time', 'hardware'], rows[::-1])
    page.paragraph('The paper: 12 million sequences, four GPUs.')
