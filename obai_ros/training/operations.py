# SPDX-License-Identifier: Apache-2.0
"""Floating-point operations: a counter, and what a sequence costs in a step of learning."""
from __future__ import annotations

from dataclasses import replace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from obai_ros.environment.sequences import sample_sequences
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.training.objective import composite_loss
from obai_ros.training.recipe import Recipe
from obai_ros.training.stage import SHORTEST
from obai_ros.training.streams import Streams


class OperationCounter(TorchDispatchMode):
    """
    Counts the operations of convolutions and matrix products while it is entered, in `total`.

    A multiplication and an addition count as two; what is done pixel by pixel is not counted.
    torch's own FlopCounterMode also keeps account of modules, for which it needs gradients where
    inference has none.
    """

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        operations = flop_registry.get(function._overloadpacket)
        if operations is not None:
            self.total += operations(*args, **(kwargs or {}), out_val=result)
        return result


def learning_operations(recipe: Recipe, index: int) -> int:
    """
    Count the operations of a stage for one sequence of one step, by doing it with random weights.

    The loss and its gradient, there and back, as `OperationCounter` counts. Of streams the mean
    over a life, in which a first step begins a stream and others go on with it.
    """
    stage = replace(recipe.stages[index], batch=1, streams=min(recipe.stages[index].streams, 1))
    stages = tuple(stage if place == index else other
                   for place, other in enumerate(recipe.stages))
    recipe = replace(recipe, stages=stages)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Obai(recipe.model_at(stage))
    if not stage.streams:
        generator = torch.Generator().manual_seed(0)
        videos = sample_sequences(recipe.scene_at(stage), 1, stage.frames, generator, 'cpu',
                                  (stage.action_frame,), stage.background_points)
        return _counted(lambda: composite_loss(model, videos.images, videos.actions,
                                               stage.schedule, Noise(generator, 'cpu')))
    streams = Streams(recipe, index, 0, 'cpu')
    begin, go_on = (_counted(lambda: streams.learn(model, step)) for step in (0, 1))
    steps = ((SHORTEST + stage.longest) / 2 - 2) / stage.frames
    return round((begin + steps * go_on) / (1 + steps))


def _counted(objective) -> int:
    with OperationCounter() as counter:
        objective().loss.backward()
    return counter.total
