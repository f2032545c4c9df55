# SPDX-License-Identifier: Apache-2.0
"""How good are beliefs after many frames? Scores of a filter that watches streams, by frame."""
from __future__ import annotations

from collections.abc import Callable

import torch

from obai_ros.environment.stream import begin_stream, go_on
from obai_ros.model.checkpoint import Checkpoint
from obai_ros.model.filter import Filter
from obai_ros.model.schedule import Schedule
from obai_ros.training.matching import matched_slots
from obai_ros.training.readout import MIN_VISIBLE, centres
from obai_ros.training.scenes import scenes_of
from obai_ros.training.validation import frame_scores

ENDURANCE_SEED = 2 ** 43

FRAMES = 24
"""For which streams are watched."""

SCORES = 'found', 'fari', 'fari_assigned', 'mse'
"""Share of visible objects that a slot's mask holds, and some of `validation.frame_scores`."""


@torch.no_grad()
def endurance(checkpoint: Checkpoint, schedule: Schedule | None = None, streams: int = 32,
              frames: int = FRAMES, progress: Callable[[int], None] = lambda frames: None
              ) -> dict[str, list[float]]:
    """
    Watch streams, whose objects are pushed about and pile up; return each of `SCORES` by frame.

    schedule: None for that of nodes, `Schedule.careful`. An object counts while it shows at least
    `MIN_VISIBLE` px.
    """
    model = checkpoint.model
    scene = scenes_of(checkpoint)
    generator = torch.Generator().manual_seed(ENDURANCE_SEED)
    perception = Filter(model, schedule or checkpoint.schedule.careful())
    stream, state, field = begin_stream(scene, streams, generator), perception.start(streams), None
    report: dict[str, list[float]] = {name: [] for name in SCORES}
    for frame in range(frames):
        state, percept = perception.step(state, stream.image, field)
        labels = stream.labels.to(model.device)
        scores = frame_scores(percept, stream.image.to(model.device), labels)
        slot, _ = matched_slots(percept.masks, labels, scene.num_objects, percept.background)
        visible = centres(labels, scene.num_objects)[1] >= MIN_VISIBLE
        scores['found'] = (slot >= 0)[visible].double()
        for name in SCORES:
            report[name].append(float(scores[name].nanmean()))
        stream, field = go_on(stream, scene, generator)
        progress(frame + 1)
    return report


def format_endurance(report: dict[str, list[float]]) -> str:
    """Return the scores as text, some frames taken together: 1, 2-4, 5-8, 9-16, 17-32, ..."""
    lines = [f"{'frames of a stream':20}" + ''.join(f'{name:>15}' for name in report)]
    edges, frames = [0, 1, 4], len(report['found'])
    while edges[-1] < frames:
        edges.append(2 * edges[-1])
    for first, last in zip(edges, edges[1:]):
        part = slice(first, min(last, frames))
        means = [sum(values[part]) / len(values[part]) for values in report.values()]
        number = f'{part.start + 1} to {part.stop}' if part.stop > first + 1 else f'{first + 1}'
        lines.append(f'{number:20}' + ''.join(f'{mean:15.4f}' for mean in means))
        if last >= frames:
            break
    return '\n'.join(lines)
