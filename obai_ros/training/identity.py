# SPDX-License-Identifier: Apache-2.0
"""Does an object stay in its slot over time?"""
from __future__ import annotations

from collections.abc import Callable

import torch

from obai_ros.environment.sequences import sample_sequences
from obai_ros.model.checkpoint import Checkpoint
from obai_ros.model.engines.choice import direct_engine
from obai_ros.model.filter import Filter
from obai_ros.model.schedule import Schedule
from obai_ros.training.matching import overlap
from obai_ros.training.readout import MIN_VISIBLE, centres
from obai_ros.training.scenes import scenes_of

IDENTITY_SEED = 2 ** 42

SEQUENCES = 200
"""Videos that are watched."""


@torch.no_grad()
def identity_over_time(checkpoint: Checkpoint, schedule: Schedule | None = None,
                       sequences: int = SEQUENCES, frames: int = 12, batch: int = 20,
                       progress: Callable[[int], None] = lambda sequences: None
                       ) -> dict[str, float]:
    """
    Watch videos as a stream and follow the slot that overlaps most (IoU) with each object.

    schedule: None for that of nodes, `Schedule.careful`.
    A step counts when the object shows at least `MIN_VISIBLE` px in both frames. Returns the share
    of steps in which the best slot stays the same, and the number of steps. One random action
    field acts on the second frame, as in training.
    """
    model = checkpoint.model
    scene = scenes_of(checkpoint)
    generator = torch.Generator().manual_seed(IDENTITY_SEED)
    perception = Filter(model, schedule or checkpoint.schedule.careful(), direct_engine(model))
    same = steps = 0
    for start in range(0, sequences, batch):
        count = min(batch, sequences - start)
        videos = sample_sequences(scene, count, frames, generator)
        state = perception.start(count, seed=start)
        before = None
        for frame in range(frames):
            action = videos.actions[frame - 1] if frame else None
            state, percept = perception.step(state, videos.images[:, frame], action)
            labels = videos.labels[:, frame].to(model.device)
            iou = overlap(percept.masks.argmax(1), labels, model.config.num_slots,
                          scene.num_objects)
            visible = centres(labels, scene.num_objects)[1] >= MIN_VISIBLE
            slot = iou.argmax(-1)
            if before is not None:
                both = visible & before[1]
                same += int((both & (slot == before[0])).sum())
                steps += int(both.sum())
            before = slot, visible
        progress(start + count)
    return {'same_slot': same / max(steps, 1), 'steps': steps}
