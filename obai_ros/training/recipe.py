# SPDX-License-Identifier: Apache-2.0
"""What is learned from what, in which order: the stages of a training run, read from YAML."""
from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import yaml

from obai_ros.environment.scene import SceneConfig
from obai_ros.model.config import ASSUMED, ModelConfig
from obai_ros.model.device import PRECISIONS
from obai_ros.model.glimpse import PLACE
from obai_ros.model.schedule import Schedule
from obai_ros.settings import require_kinds
from obai_ros.share import share_folder
from obai_ros.training.stage import Stage

OF_SCHEDULES = 'iterations', 'exact_velocities'
"""What of a schedule can change after learning, too."""


@dataclass(frozen=True)
class Recipe:
    """A whole training run. Stored in checkpoints, so that a run can be resumed and repeated."""

    model: ModelConfig
    """The model of the last stage; earlier stages may have smaller images."""
    scene: SceneConfig
    """What the simulator shows; recordings show what they do."""
    stages: tuple[Stage, ...]
    """One after the other, each with the weights of the one before."""
    precision: str = 'auto'
    """Of the convolutions: float32, bfloat16, or auto: bfloat16 where what the run begins on
    computes with it, and float32 elsewhere. Everything that adds up stays in float32."""
    optimizer: str = 'adam'
    """adam, or muon: orthogonal steps of weight matrices, Adam for the rest (training/muon.py)."""
    clip: float = 5.0
    """Largest norm of the gradient; longer ones are scaled down."""
    average: float = 0.999
    """Decay of the moving average of the weights, which is what is evaluated and shipped."""
    validation_sequences: int = 96
    """Videos on which progress is measured."""
    inference: dict[str, float] = field(default_factory=dict)
    """What the weights that are evaluated and shipped infer with instead of what they learn with:
    of beta, sigma_o, sigma_s, sigma_psi; iterations, refinements per frame; exact_velocities,
    those of least free energy (`Schedule`; learning from streams has them anyway). Learned with
    much pixel noise, masks are good enough to be used with little (models/NOTES.md)."""

    def __post_init__(self):
        require_kinds(self)
        if self.precision not in PRECISIONS:
            raise ValueError(f'precision is {self.precision!r}: expected one of '
                             f'{", ".join(PRECISIONS)}')
        if self.optimizer not in ('adam', 'muon'):
            raise ValueError(f'the optimizer is {self.optimizer!r}: expected adam or muon')
        if not self.stages:
            raise ValueError('the recipe has no stages: expected at least one')
        if not self.clip > 0:
            raise ValueError(f'clip is {self.clip!r}: expected the largest norm of a gradient, a '
                             f'number above 0')
        if not 0 <= self.average < 1:
            raise ValueError(f'average is {self.average!r}: expected a decay of at least 0 and '
                             f'less than 1')
        if self.validation_sequences < 1:
            raise ValueError(f'validation_sequences is {self.validation_sequences}: expected '
                             f'a whole number of 1 or more')
        changeable = (*ASSUMED, *OF_SCHEDULES)
        unknown = sorted(set(self.inference) - set(changeable))
        if unknown:
            raise ValueError(f'inference is to have another {", ".join(unknown)}: only '
                             f'{", ".join(changeable)} can change after learning')
        for stage in self.stages:
            self.inferring_at(stage), self.schedule_at(stage), self.scene_at(stage)
            if stage.seeds and self.model.latent_size <= PLACE:
                raise ValueError(f'stage {stage.name!r}: seeds say what {PLACE} latents are, and '
                                 f'latent_size is {self.model.latent_size}: expected more')
        if self.stages[-1].image_size != self.model.image_size:
            raise ValueError(
                f'the last stage has images of {self.stages[-1].image_size} px, but the model is '
                f'for {self.model.image_size} px: they have to agree')
        if self.model.num_slots <= self.scene.num_objects:
            raise ValueError(
                f'{self.model.num_slots} slots cannot hold {self.scene.num_objects} objects and '
                f'a background: expected more slots than objects')

    def model_at(self, stage: Stage) -> ModelConfig:
        """Return the configuration of the model in a stage: only the images' size differs."""
        if stage.image_size == self.model.image_size:
            return self.model
        if self.model.decoder != 'glimpse':
            raise ValueError(f'stage {stage.name!r} has images of {stage.image_size} px: only '
                             f'networks of glimpses can change size between stages')
        return replace(self.model, image_size=stage.image_size)

    def inferring_at(self, stage: Stage) -> ModelConfig:
        """Return the configuration with which a stage's weights are evaluated."""
        assumed = {name: self.inference[name] for name in self.inference if name in ASSUMED}
        return replace(self.model_at(stage), **assumed)

    def schedule_at(self, stage: Stage) -> Schedule:
        """
        Return the schedule with which a stage's weights are evaluated. Births are for streams that
        are learned from; who watches streams asks for them (`Schedule.careful`).
        """
        schedule = replace(stage.schedule, births=0)
        return replace(schedule, **{name: self.inference.get(name, getattr(schedule, name))
                                    for name in OF_SCHEDULES})

    def scene_at(self, stage: Stage) -> SceneConfig:
        """Return what the simulator shows in a stage: the recipe's scenes, of its image size."""
        return replace(self.scene, image_size=stage.image_size)

    def index_of(self, name: str) -> int:
        """Return the index of a stage. Raises ValueError when there is none of that name."""
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise ValueError(f'the recipe has no stage {name!r}: its stages are '
                             f'{", ".join(names)}')
        return names.index(name)

    def to_dict(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict) -> Recipe:
        """Build a recipe from plain values. Raises ValueError naming what is wrong."""
        _known(values, Recipe, 'the recipe')
        values = dict(values)
        model = _model(values.pop('model', 'fast'))
        scene = {name: tuple(value) if isinstance(value, list) else value
                 for name, value in _known(values.pop('scene', {}), SceneConfig, 'scene').items()}
        stages = values.pop('stages', ())
        if not isinstance(stages, list | tuple):
            raise ValueError(f'stages is {stages!r}: expected a list of stages')
        for number, stage in enumerate(stages, 1):
            missing = [name for name in ('name', 'steps')
                       if name not in _known(stage, Stage, f'stage {number}')]
            if missing:
                raise ValueError(f'stage {number} has no {missing[0]}: expected one')
        inference = values.pop('inference', {})
        if not isinstance(inference, dict):
            raise ValueError(f'inference is {inference!r}: expected settings by name')
        return Recipe(model, SceneConfig(**{'image_size': model.image_size, **_numbers(scene)}),
                      tuple(Stage(**_numbers(stage)) for stage in stages),
                      inference=_numbers(inference), **_numbers(values))


def _known(said: object, kind: type, what: str) -> dict:
    """Return settings by name. Raises ValueError unless a dataclass has all of them."""
    if not isinstance(said, dict):
        raise ValueError(f'{what} is {said!r}: expected settings by name')
    names = [known.name for known in fields(kind)]
    unknown = [str(name) for name in said if name not in names]
    if unknown:
        raise ValueError(f'{what} has a setting that does not exist, {", ".join(unknown)}: it '
                         f'knows {", ".join(names)}')
    return said


def _model(said: object) -> ModelConfig:
    """Return a preset, given by its name alone or as `preset` beside what differs from it."""
    said = {'preset': said} if isinstance(said, str) else said
    if not isinstance(said, dict):
        raise ValueError(f'model is {said!r}: expected a preset, or its settings by name')
    preset = ModelConfig.named(said.get('preset', 'fast'))
    return ModelConfig.from_dict({**preset.to_dict(),
                                  **_numbers(_known(said, ModelConfig, 'model'))})


def _numbers(values: dict) -> dict:
    """Read numbers such as 1e-3, which YAML takes for text because they lack a point."""
    def number(value):
        try:
            return float(value) if isinstance(value, str) else value
        except ValueError:
            return value
    return {name: value if name in ('name', 'precision', 'optimizer') else number(value)
            for name, value in values.items()}


def preset_path(name: str) -> Path:
    """Return the recipe that comes with the package, one of config/train."""
    return share_folder('config') / 'train' / f'{name}.yaml'


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a YAML file. Raises ValueError, in a sentence, when it makes no sense."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'{path} does not exist: give a recipe, a YAML file such as those in '
                         f'config/train')
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is not YAML: {error}') from error
    if not isinstance(values, dict):
        raise ValueError(f'{path} holds no recipe: expected the keys model, scene and stages')
    try:
        return Recipe.from_dict(values)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
