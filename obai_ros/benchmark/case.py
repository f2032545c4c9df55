# SPDX-License-Identifier: Apache-2.0
"""What is measured: which model, how it is run, and on what."""
from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from obai_ros.benchmark.engines import ready_engine
from obai_ros.model.checkpoint import default_checkpoint, load_checkpoint
from obai_ros.model.config import ModelConfig
from obai_ros.model.device import choose_device, choose_precision
from obai_ros.model.engines.choice import ENGINES
from obai_ros.model.engines.part import parts_of
from obai_ros.model.filter import Filter
from obai_ros.model.obai import Obai
from obai_ros.model.schedule import Schedule

@dataclass(frozen=True)
class Case:
    """
    One configuration of perception.

    engine: who computes, one of `choice.ENGINES`. device: auto, cpu, cuda or cuda:N. precision:
    auto, float32 or bfloat16. slots, image_size (px): None for those of the preset. second_look:
    as in `Schedule`, with the births that perception_node has. batch: cameras watched by one
    filter. camera: width and height of their images, px; None for the model's size. descent: as in
    `Schedule`.

    Raises ValueError, in a sentence, for what is not there or cannot be: unlike a node, a
    benchmark does not fall back on something else.
    """

    preset: str = 'fast'
    engine: str = 'reference'
    device: str = 'cpu'
    precision: str = 'auto'
    iterations: int = 4
    window: int = 2
    second_look: int = 0
    slots: int | None = None
    image_size: int | None = None
    batch: int = 1
    camera: tuple[int, int] | None = None
    descent: int = 0

    def __post_init__(self):
        if self.engine not in ENGINES:
            raise ValueError(f'engine is {self.engine!r}: expected one of {", ".join(ENGINES)}')
        if self.batch < 1:
            raise ValueError(f'batch is {self.batch}: expected at least 1 camera')
        device = choose_device(self.device)
        precision, warning = choose_precision(self.precision, device)
        if warning:
            raise ValueError(f'{warning.split(";")[0]}: choose float32 or auto')
        object.__setattr__(self, 'device', str(device))
        object.__setattr__(self, 'precision', precision)
        self.config, self.schedule  # raise what they have to say now

    @property
    def config(self) -> ModelConfig:
        """The preset with the slots and the image size that were asked for."""
        named = ModelConfig.named(self.preset)
        return replace(named, num_slots=self.slots or named.num_slots,
                       image_size=self.image_size or named.image_size)

    @property
    def schedule(self) -> Schedule:
        """How the nodes look, but births only with second looks, and velocities not confined."""
        careful = Schedule(self.iterations, None, self.window, exact_velocities=True,
                           seeds=self.config.decoder == 'glimpse').careful()
        return careful.changed(starts=1, births=careful.births if self.second_look else 0,
                               second_look=self.second_look, confined=False,
                               descent=self.descent)

    @property
    def torch_device(self) -> torch.device:
        return torch.device(self.device)

    def model(self) -> tuple[Obai, str]:
        """
        Return the model, and what its weights are.

        The preset's bundled weights where they fit the size of the image, otherwise random ones.
        """
        path = default_checkpoint(self.preset)
        if path.is_file():
            checkpoint = load_checkpoint(path)
            if checkpoint.config.image_size == self.config.image_size:
                config = replace(checkpoint.config, num_slots=self.config.num_slots)
                model = Obai(config, self.precision)
                weights = checkpoint.model.state_dict()
                known = len(weights['initial'])
                if known > 1:  # slots beyond those that have learned begin as the last of them
                    slots = torch.arange(config.num_slots).clamp(max=known - 1)
                    weights['initial'] = weights['initial'][slots]
                model.load_state_dict(weights)
                return model.to(self.device), f'bundled {checkpoint.model_id}'
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return Obai(self.config, self.precision).to(self.device), 'random'

    def filter(self, model: Obai) -> tuple[Filter, str]:
        """Return what turns images into percepts, and the engine within; see `ready_engine`."""
        engine, name = ready_engine(self.engine, model, parts_of(self.batch, self.window))
        return Filter(model, self.schedule, engine), name

    def describe(self) -> dict:
        """Return everything that was chosen, ready for JSON."""
        size = self.config.image_size
        return {'preset': self.preset, 'engine': self.engine, 'device': self.device,
                'precision': self.precision, 'iterations': self.iterations,
                'window': self.window, 'second_look': self.second_look,
                'slots': self.config.num_slots, 'image_size': size, 'batch': self.batch,
                'camera': list(self.camera or (size, size)), 'descent': self.descent}
