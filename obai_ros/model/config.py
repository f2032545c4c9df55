# SPDX-License-Identifier: Apache-2.0
"""What a model is made of; stored beside its weights, so that they can be loaded again."""
from __future__ import annotations

from dataclasses import asdict, dataclass, fields

ASSUMED = ('beta', 'sigma_o', 'sigma_s', 'sigma_psi')
"""What inference assumes: numbers on which no weight's shape depends."""


@dataclass(frozen=True)
class ModelConfig:
    """Architecture and hyperparameters (Appendix B and C of the paper)."""

    preset: str = 'fast'
    """Name under which these settings are known: fast, paper or smoke."""
    image_size: int = 64
    """Height and width of the images, px."""
    num_slots: int = 4
    """K: how many objects, the background included, an image is explained by."""
    latent_size: int = 16
    """N: size of a slot's state s, and of its derivative s'."""
    decoder: str = 'subpixel'
    """broadcast: the paper's, at full resolution. subpixel: on a coarse grid, then shuffled."""
    channels: int = 48
    """Channels of the decoder's hidden layers."""
    subpixel: int = 4
    """r: each cell of the subpixel decoder's grid covers r x r px. 1 for broadcast."""
    trunk: str = 'patch'
    """Convolutions of the refinement network: strided (the paper's) or patch (cheap)."""
    hidden_size: int = 128
    """Units of the refinement network's LSTM and of the layer before it."""
    initial_belief: str = 'shared'
    """lambda_0. shared: one for all slots, which only noise tells apart (the paper's). per_slot:
    each slot begins with its own, so that one can learn to begin with the background."""
    action_inference: str = 'closed_form'
    """How q(a) is found. network: the paper's LSTM. closed_form: the exact maximum of eq. 8."""
    action_hidden_size: int = 32
    beta: float = 5.0
    """Weight of the reconstruction term (eq. 15)."""
    sigma_o: float = 0.3
    """Standard deviation of a pixel around its slot's prediction, in units of [0, 1] (eq. 1)."""
    sigma_s: float = 0.1
    """Standard deviation of the noise of the latent dynamics (eq. 5-6)."""
    sigma_psi: float = 0.3
    """Standard deviation of the noise of object actions, px/frame^2 (eq. 7)."""

    def __post_init__(self):
        choices = {'decoder': ('broadcast', 'subpixel'), 'trunk': ('strided', 'patch'),
                   'initial_belief': ('shared', 'per_slot'),
                   'action_inference': ('network', 'closed_form')}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f'{name} is {getattr(self, name)!r}: expected one of {allowed}')
        for name in ('image_size', 'latent_size', 'channels', 'subpixel', 'hidden_size'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} is {getattr(self, name)}: expected at least 1')
        if not 2 <= self.num_slots <= 254:
            raise ValueError(f'num_slots is {self.num_slots}: expected 2..254')
        for name in ASSUMED:
            if not getattr(self, name) > 0:
                raise ValueError(f'{name} is {getattr(self, name)}: expected a positive number')
        if self.decoder == 'broadcast' and self.subpixel != 1:
            raise ValueError(f'subpixel is {self.subpixel}: the broadcast decoder works on whole '
                             f'pixels, set it to 1')
        if self.image_size % self.subpixel:
            raise ValueError(f'image_size {self.image_size} is not a multiple of subpixel '
                             f'{self.subpixel}: the image cannot be tiled by its cells')
        if self.trunk == 'patch' and self.grid_size % 4:
            raise ValueError(f'the grid of {self.grid_size} cells is not a multiple of 4, which '
                             f'the patch trunk needs: change image_size or subpixel')

    @property
    def grid_size(self) -> int:
        """G: cells per side of the decoder's grid."""
        return self.image_size // self.subpixel

    @staticmethod
    def named(name: str) -> ModelConfig:
        if name not in PRESETS:
            raise ValueError(f'unknown preset {name!r}: choose one of {sorted(PRESETS)}')
        return PRESETS[name]

    def to_dict(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict) -> ModelConfig:
        known = {field.name for field in fields(ModelConfig)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f'the model configuration has unknown settings {unknown}: it was '
                             f'written by another version of this package')
        return ModelConfig(**values)


PRESETS = {
    'fast': ModelConfig(),
    'paper': ModelConfig(preset='paper', decoder='broadcast', channels=32, subpixel=1,
                         trunk='strided', action_inference='network'),
    # For tests of the machinery: too small to learn anything worth having.
    'smoke': ModelConfig(preset='smoke', image_size=32, latent_size=8, channels=8, subpixel=4,
                         hidden_size=16),
}
