# SPDX-License-Identifier: Apache-2.0
"""The evaluation protocol: segmentation, reconstruction and prediction on fresh videos."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.belief import Belief, bounded
from obai_ros.model.config import ModelConfig
from obai_ros.model.engines.choice import direct_engine
from obai_ros.model.inference import infer_clip, iterate_clip
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.percept import Percept, perceive
from obai_ros.model.pixels import in_a_row
from obai_ros.model.schedule import Schedule
from obai_ros.model.seed import patches
from obai_ros.model.window import receive
from obai_ros.training.dataset import Dataset
from obai_ros.training.metrics import adjusted_rand_index
from obai_ros.training.readout import Readout
from obai_ros.training.validation import frame_scores, perceive_clip

PAPER = {'ari': 0.948, 'fari': 0.939, 'mse': 9.51e-4, 'prediction_mse': 4e-3}
"""Table 1 and section 3.2 of the paper."""


@torch.no_grad()
def evaluate_dataset(model: Obai, dataset: Dataset, schedule: Schedule, seen: int = 4,
                     batch: int = 64, progress: Callable[[int], None] = lambda done: None
                     ) -> dict:
    """
    Score a model on a data set; return what `obai evaluate --json` writes.

    The first `seen` frames are inferred, the others predicted from the last belief about them.
    Scores are averaged over a sequence's frames and then over sequences; frames in which an
    index is undefined are left out and counted. Means of beliefs are decoded, not samples. Where
    the truth is not known, segmentation is left out, and `free_energy` (nats per pixel of the last
    frame that was seen) stands for it.
    Raises ValueError when the images do not have the model's size.
    """
    size = model.config.image_size
    if dataset.images.shape[2:4] != (size, size):
        raise ValueError(f'the data set has images of {dataset.images.shape[2]}x'
                         f'{dataset.images.shape[3]}, the model expects {size}x{size}')
    seen = min(seen, dataset.frames)
    rows: list[dict[str, Tensor]] = []
    readout, engine = Readout(), direct_engine(model)
    for start in range(0, dataset.sequences, batch):
        images, labels, fields = dataset.part(start, start + batch, model.device)
        noise = Noise.seeded(range(start, start + len(images)), model.device)
        belief = infer_clip(model, images[:, :seen], fields[:seen], schedule, noise, engine)
        percepts = perceive_clip(model, belief, images)
        rows.append(_score(percepts, images, labels))
        if schedule.seeds and labels is not None:
            rows[-1].update(_seeds_alone(images[:, 0], labels[:, 0], model.config))
        if labels is None:
            rows[-1].update(_free_energy(model, images[:, :seen], fields[:seen], schedule, start))
        else:
            readout.add(percepts[-1], labels[:, seen - 1])
        if dataset.frames > seen:
            rows[-1].update(_predict(model, percepts[-1], images[:, seen:], fields[seen - 1:],
                                     schedule.confined))
        progress(start + len(images))
    scores = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
    report = _summary(scores, dataset.sequences, seen)
    return report if dataset.masks is None else {**report, 'readout': readout.fit(model)}


def _score(percepts: Sequence[Percept], images: Tensor, labels: Tensor | None
           ) -> dict[str, Tensor]:
    """Return [B, T] scores of the frames that were seen, and those of pieces of one colour."""
    frames = [frame_scores(percept, images[:, frame],
                           None if labels is None else labels[:, frame])
              for frame, percept in enumerate(percepts)]
    scores = {name: torch.stack([frame[name] for frame in frames], 1) for name in frames[0]}
    if labels is None:
        return scores
    ceilings = [_ceiling(images[:, frame], labels[:, frame]) for frame in range(len(percepts))]
    scores['ceiling_ari'] = torch.stack([ceiling[0] for ceiling in ceilings], 1)
    scores['ceiling_fari'] = torch.stack([ceiling[1] for ceiling in ceilings], 1)
    return scores


def _free_energy(model: Obai, images: Tensor, fields: Sequence[ActionField], schedule: Schedule,
                 start: int) -> dict[str, Tensor]:
    """Return [B, 1], nats per pixel, of the last frame after all refinements."""
    noise = Noise.seeded(range(start, start + len(images)), model.device)
    for _, _, evaluation in iterate_clip(model, images, fields, schedule, noise):
        pass
    pixels = images.shape[-1] * images.shape[-2]
    return {'free_energy': evaluation.free_energy.total[:, -1:].double() / pixels}


def _seeds_alone(image: Tensor, labels: Tensor, config: ModelConfig) -> dict[str, Tensor]:
    """
    Score first frames [B, 3, H, W] by the patches that slots begin near, [B, 1] each.

    No network has a part in it: how much of the task is done before a model sees anything.
    """
    owner = torch.from_numpy(np.stack([
        patches(each, config.num_slots - 1, config.sigma_o)[1]
        for each in image.float().cpu().numpy()])).to(labels.device).flatten(1)
    true = labels.flatten(1)
    return {'seeds_ari': adjusted_rand_index(true, owner)[:, None],
            'seeds_fari': adjusted_rand_index(true, owner, foreground_only=True)[:, None]}


def _ceiling(image: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """
    Score the segmentation into connected pieces of one colour: what a single frame of flat
    colours tells without an idea of what objects are. [B] each.

    What is in the colour of what it lies on is invisible to it, and of what another object lies
    across it makes two.
    """
    levels = (image * 255.0).round().long().cpu().numpy()
    colours = (levels[:, 0] * 256 + levels[:, 1]) * 256 + levels[:, 2]
    pieces = torch.from_numpy(np.stack([_pieces(each) for each in colours])).to(labels.device)
    true, pieces = labels.flatten(1), pieces.flatten(1)
    return (adjusted_rand_index(true, pieces),
            adjusted_rand_index(true, pieces, foreground_only=True))


def _pieces(colours: np.ndarray) -> np.ndarray:
    """
    Number the connected pieces of one colour of an image [H, W], from 0.

    All colours at once: a camera's picture has thousands.
    """
    pixel = np.arange(colours.size).reshape(colours.shape)
    edges = []
    for here, there in _NEIGHBOURS:
        alike = colours[here] == colours[there]
        edges.append(np.stack([pixel[here][alike], pixel[there][alike]]))
    one, other = np.concatenate(edges, 1)
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(colours.size,) * 2)
    return connected_components(graph, directed=False)[1].reshape(colours.shape).astype(np.int64)


_NEIGHBOURS = (
    (np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1]), (np.s_[1:, 1:], np.s_[:-1, :-1]),
    (np.s_[1:, :-1], np.s_[:-1, 1:]))
"""Pixels that touch along a side or at a corner: left and right, below and above, crosswise."""


def _predict(model: Obai, last: Percept, images: Tensor, fields: Sequence[ActionField],
             confined: bool) -> dict[str, Tensor]:
    """
    Return [B, F] errors of frames predicted from the last percept.

    fields: the field on the last frame that was seen, then those on the predicted frames; each
    slot receives what its mask says, as in inference. confined: see `Schedule`.
    """
    percept, hard, soft = last, [], []
    for frame in range(images.shape[1]):
        action = receive(model, in_a_row(percept.masks), fields[frame])
        packed = bounded(model.dynamics.extrapolate(percept.belief, action, confined).pack())
        percept = perceive(model, Belief.unpack(packed))
        truth = images[:, frame]
        hard.append((percept.hard_reconstruction() - truth).square().mean((1, 2, 3)).double())
        soft.append((percept.reconstruction() - truth).square().mean((1, 2, 3)).double())
    return {'prediction_mse': torch.stack(hard, 1), 'prediction_mse_soft': torch.stack(soft, 1)}


def _summary(scores: dict[str, Tensor], sequences: int, seen: int) -> dict:
    means = {name: values.nanmean(1) for name, values in scores.items()}
    measured = [name for name in scores if not name.startswith('ceiling')]
    report = {name: float(means[name].nanmean()) for name in measured}
    report['sequences'] = sequences
    report['frames_seen'] = seen
    report['ci95'] = {name: bootstrap_interval(means[name]) for name in measured}
    segmented = [name for name in ('ari', 'fari') if name in scores]
    report['ceiling'] = {name: float(means[f'ceiling_{name}'].nanmean()) for name in segmented}
    report['per_frame'] = {name: [round(value, 6) for value in scores[name].nanmean(0).tolist()]
                           for name in measured}
    report['undefined_frames'] = {name: int(scores[name].isnan().sum()) for name in segmented}
    return report


def bootstrap_interval(values: Tensor, resamples: int = 1000, seed: int = 0) -> list[float]:
    """Return the 95 % interval of the mean of [S] values, NaNs left out, by the bootstrap."""
    values = values[~values.isnan()].cpu().double()
    if len(values) == 0:
        return [float('nan'), float('nan')]
    generator = torch.Generator().manual_seed(seed)
    means = torch.stack([
        values[torch.randint(len(values), (len(values),), generator=generator)].mean()
        for _ in range(resamples)])
    return [float(value) for value in means.quantile(torch.tensor([0.025, 0.975]).double())]


def format_table(report: dict) -> str:
    """Return the scores beside the paper's, as text."""
    lines = [f"{'':22}{'this model':>12}  {'95 % interval':^21}{'paper':>9}{'by colour':>11}"]
    names = {'ari': 'ARI', 'fari': 'FARI', 'ari_assigned': 'ARI (posterior)',
             'fari_assigned': 'FARI (posterior)', 'mse': 'MSE (hard composite)',
             'mse_soft': 'MSE (soft composite)', 'prediction_mse': 'prediction MSE',
             'free_energy': 'free energy (nats/px)'}
    for name, title in names.items():
        if name not in report:
            continue
        digits = '.4f' if name.removeprefix('f').startswith('ari') else '.2e'
        low, high = report['ci95'][name]
        paper = format(PAPER[name], digits) if name in PAPER else ''
        ceiling = format(report['ceiling'][name], digits) if name in report['ceiling'] else ''
        interval = f'[{low:{digits}}, {high:{digits}}]'
        found = format(report[name], digits)
        lines.append(f'{title:22}{found:>12}  {interval:^21}{paper:>9}{ceiling:>11}')
    counted = (f"frames without foreground: {report['undefined_frames']['fari']}"
               if 'fari' in report else 'no truth to score a segmentation with')
    lines.append(f"{report['sequences']} sequences, {report['frames_seen']} frames seen; "
                 f"{counted}")
    for name in ('ari', 'fari', 'mse', 'prediction_mse'):
        if name in report['per_frame']:
            values = '  '.join(f'{value:.4g}' for value in report['per_frame'][name])
            lines.append(f'{names[name]} by frame: {values}')
    readout = report.get('readout')
    if readout and readout['objects']:
        lines.append(
            f"position read linearly off the slots: R2 {readout['r2'][0]:.3f} (x) and "
            f"{readout['r2'][1]:.3f} (y), {readout['rmse_px']:.2f} px; read-out of D: "
            f"{readout['effect_of_D']} (identity is right); objects found: {readout['found']:.3f}")
    if 'seeds_ari' in report:
        lines.append(f"patches that slots begin near, without any network, first frames: ARI "
                     f"{report['seeds_ari']:.4f}, FARI {report['seeds_fari']:.4f}")
    return '\n'.join(lines)
