# SPDX-License-Identifier: Apache-2.0
"""Goals from recordings, of objects whose true states nobody knows: masks say where they are."""
from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import torch

from obai_ros.model.checkpoint import Checkpoint
from obai_ros.model.engines.choice import direct_engine
from obai_ros.model.filter import Filter
from obai_ros.model.pixels import to_image
from obai_ros.planning.goal import Sight
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.recording.footage import Footage
from obai_ros.training.goal_learning import GoalLearning, schedule_of

SHAPE = 'object'
"""What all shapes of such a bank are called: nobody has named them."""

COLOURS, SIZES = 20, 2
"""Steps of a bank's colours per channel, and of its sizes per px."""


class FootageScenes:
    """
    Scenes for `learn_goals` from footage: single frames, put anywhere and looked at as if at rest.

    A frame is moved by up to half of the image, and what lies at its border is drawn out: the
    objects of a recording may never have been where a goal is wanted. Of what is seen in it those
    objects count that show whole, and their place is the middle of their mask. Colour, and size as
    root of the mass, are what was seen; shapes have no names.
    """

    remedy = ('those count that show whole, and nothing can be learned without; record objects '
              'that show whole, or train the model further')

    def __init__(self, footage: Footage):
        self._frames = footage.images
        digest = hashlib.sha256(str(footage.images.shape).encode())
        digest.update(np.ascontiguousarray(footage.images))
        self.name = digest.hexdigest()[:16]

    @torch.no_grad()
    def __call__(self, checkpoint: Checkpoint, settings: GoalLearning, number: int) -> GoalBank:
        """See `goal_learning.GoalScenes`."""
        model, size = checkpoint.model, checkpoint.config.image_size
        chance = np.random.default_rng([settings.seed, number])
        chosen = chance.integers(len(self._frames), size=settings.batch)
        shifts = chance.integers(-(size // 2), size // 2 + 1, size=(settings.batch, 2))
        images = torch.stack([to_image(moved(self._frames[frame], *shift))
                              for frame, shift in zip(chosen, shifts)]).to(model.device)
        perception = Filter(model, schedule_of(checkpoint, settings), direct_engine(model))
        streams = range(number * settings.batch, (number + 1) * settings.batch)
        state = perception.start(settings.batch, list(streams))
        for _ in range(settings.frames):
            state, percept = perception.step(state, images)
        sights = Sight.of(percept)
        whole = [sight.whole() for sight in sights]

        def gather(read: Callable) -> torch.Tensor:
            return torch.cat([read(sight)[seen] for sight, seen in zip(sights, whole)]).cpu()
        traits = gather(lambda sight: sight.traits).float()
        nothing = torch.zeros(len(traits))
        return GoalBank(
            position=gather(lambda sight: sight.centre).float(), shape=nothing.long(),
            colour=(COLOURS * traits[:, :3]).round() / COLOURS,
            size=(SIZES * traits[:, 3]).round() / SIZES, orientation=nothing,
            mean=gather(lambda sight: sight.belief.mean).float(),
            sd=gather(lambda sight: sight.belief.log_sd.exp()).float(), traits=traits,
            model_id=checkpoint.model_id, image_size=(size, size), shapes=(SHAPE,))


def moved(picture: np.ndarray, right: int, down: int) -> np.ndarray:
    """Return a picture [H, W, 3] moved by so many px; what lies at its border is drawn out."""
    rows, columns = (np.clip(np.arange(length) - by, 0, length - 1)
                     for length, by in zip(picture.shape, (down, right)))
    return picture[rows[:, None], columns]
