# SPDX-License-Identifier: Apache-2.0
"""A quick look at how well a model does, on videos that are the same every time."""
from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.environment.scene import SceneConfig
from obai_ros.environment.sequences import Sequences, sample_sequences
from obai_ros.model.belief import Belief
from obai_ros.model.inference import infer_clip
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.percept import Percept, perceive
from obai_ros.model.schedule import Schedule
from obai_ros.training.metrics import adjusted_rand_index
from obai_ros.training.readout import Readout
from obai_ros.training.recorded import Clips

VALIDATION_SEED = 2 ** 40 + 999
"""Seed of the validation videos; training seeds are mixed and never this small."""


def validation_videos(scene: SceneConfig, sequences: int, frames: int, action_frame: int
                      ) -> Sequences:
    """Return the fixed validation set for this kind of video, on the CPU."""
    generator = torch.Generator().manual_seed(VALIDATION_SEED)
    return sample_sequences(scene, sequences, frames, generator, 'cpu', (action_frame,))


def perceive_clip(model: Obai, belief: Belief, images: Tensor) -> list[Percept]:
    """Decode beliefs [B, T, K, N] about the first T of images [B, ., 3, H, W], one by one."""
    return [perceive(model, belief[:, frame], images[:, frame])
            for frame in range(belief.mean.shape[1])]


def frame_scores(percept: Percept, image: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    """
    Score B frames: each value is [B] float64.

    image: [B, 3, H, W]; labels: [B, H, W], 0 = background, or None where the truth is not known:
    then ari and fari are missing, and so are ari_assigned and fari_assigned, the same of the
    assignments, which have seen the image, where the paper scores masks. mse is that of the hard
    composite, in which every pixel has the colour of its most probable slot; mse_soft of the
    soft one.
    """
    def squared(reconstruction: Tensor) -> Tensor:
        return (reconstruction - image).square().mean((1, 2, 3)).double()

    segmentation = {}
    if labels is not None:
        true = labels.flatten(1)
        for kind, share in (('', percept.masks), ('_assigned', percept.assignment)):
            predicted = share.argmax(1).flatten(1)
            segmentation |= {
                f'ari{kind}': adjusted_rand_index(true, predicted),
                f'fari{kind}': adjusted_rand_index(true, predicted, foreground_only=True)}
    return {**segmentation, 'mse': squared(percept.hard_reconstruction()),
            'mse_soft': squared(percept.reconstruction())}


@torch.no_grad()
def validate(model: Obai, videos: Sequences | Clips, schedule: Schedule, batch: int = 16
             ) -> dict[str, float]:
    """
    Return the scores of a model on videos, averaged over sequences and frames.

    found: share of visible objects that a slot holds in the last frame (IoU > 0.5); position_r2:
    how well a linear read-out of these slots tells where they are, the worse of x and y. Of
    videos without labels mse and mse_soft are all that is known.
    """
    scores: dict[str, list[Tensor]] = {}
    readout = Readout()
    count = videos.images.shape[0]
    for start in range(0, count, batch):
        part = slice(start, start + batch)
        images = videos.images[part].to(model.device)
        labels = None if videos.labels is None else videos.labels[part].to(model.device)
        fields = [field[part].to(model.device) for field in videos.actions]
        noise = Noise.seeded(range(start, start + len(images)), model.device)
        belief = infer_clip(model, images, fields, schedule, noise)
        percepts = perceive_clip(model, belief, images)
        if labels is not None:
            readout.add(percepts[-1], labels[:, -1])
        for frame, percept in enumerate(percepts):
            truth = None if labels is None else labels[:, frame]
            for name, value in frame_scores(percept, images[:, frame], truth).items():
                scores.setdefault(name, []).append(value)
    means = {name: float(torch.cat(values).nanmean()) for name, values in scores.items()}
    if videos.labels is None:
        return means
    position = readout.fit(model)
    return {**means, 'found': position['found'],
            'position_r2': min(position['r2']) if position['objects'] else float('nan')}
