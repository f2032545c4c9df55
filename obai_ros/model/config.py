# SPDX-License-Identifier: Apache-2.0
"""What a model is made of; stored beside its weights, so that they can be loaded again."""
from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from obai_ros.settings import require_kinds

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
    decoder: str = 'glimpse'
    """broadcast: the paper's, at full resolution. glimpse: in a square that moves and grows with
    the object (see `glimpse`)."""
    channels: int = 48
    """Channels of the decoder's hidden layers."""
    texels: int = 32
    """Rows and columns of a glimpse, a multiple of 16; other decoders have none."""
    trunk: str = 'glimpse'
    """Convolutions of the refinement network: strided (the paper's), or glimpse (what the slot's
    square shows closely, and the image roughly)."""
    hidden_size: int = 128
    """Units of the refinement network's LSTM and of the layer before it."""
    initial_belief: str = 'per_slot'
    """lambda_0. shared: one for all slots, which only noise tells apart (the paper's). per_slot:
    each slot begins with its own, so that one can learn to begin with the background."""
    action_inference: str = 'closed_form'
    """How q(a) is found. network: the paper's LSTM. closed_form: where eq. 8 is least,
    given all other beliefs."""
    action_hidden_size: int = 32
    """Units of the LSTM that infers actions, where a network does."""
    beta: float = 5.0
    """Weight of the reconstruction term (eq. 15)."""
    sigma_o: float = 0.3
    """Standard deviation of a pixel around its slot's prediction, in units of [0, 1] (eq. 1)."""
    sigma_s: float = 0.1
    """Standard deviation of the noise of the latent dynamics (eq. 5-6)."""
    sigma_psi: float = 0.3
    """Standard deviation of the noise of object actions, px/frame^2 (eq. 7)."""

    def __post_init__(self):
        require_kinds(self)
        choices = {'decoder': ('broadcast', 'glimpse'), 'trunk': ('strided', 'glimpse'),
                   'initial_belief': ('shared', 'per_slot'),
                   'action_inference': ('network', 'closed_form')}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f'{name} is {getattr(self, name)!r}: expected one of {allowed}')
        for name in ('image_size', 'latent_size', 'channels', 'hidden_size'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} is {getattr(self, name)}: expected at least 1')
        if not 2 <= self.num_slots <= 254:
            raise ValueError(f'num_slots is {self.num_slots}: expected 2..254')
        for name in ASSUMED:
            if not getattr(self, name) > 0:
                raise ValueError(f'{name} is {getattr(self, name)}: expected a positive number')
        if (self.decoder == 'glimpse') != (self.trunk == 'glimpse'):
            raise ValueError(f'the decoder is {self.decoder} and the trunk {self.trunk}: glimpses '
                             f'are drawn and looked at by the same square, set both or none')
        if self.decoder == 'glimpse' and (self.texels < 16 or self.texels % 16
                                          or self.image_size % 16 or self.latent_size < 4):
            raise ValueError(f'a glimpse of {self.texels} texels in an image of '
                             f'{self.image_size} px with {self.latent_size} latents: expected '
                             f'multiples of 16, and at least 4 latents')

    @staticmethod
    def named(name: str) -> ModelConfig:
        """Return the preset of this name. Raises ValueError when there is none."""
        if not isinstance(name, str) or name not in PRESETS:
            raise ValueError(f'unknown preset {name!r}: choose one of {sorted(PRESETS)}')
        return PRESETS[name]

    def to_dict(self) -> dict:
        """Return all settings by name, ready for JSON; `from_dict` reads them."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict) -> ModelConfig:
        """
        Return the configuration that `to_dict` wrote; what it does not name is as in `fast`.

        Raises ValueError for unknown settings, and for values that cannot be.
        """
        known = {field.name for field in fields(ModelConfig)}
        unknown = sorted(str(name) for name in set(values) - known)
        if unknown:
            raise ValueError(f'the model configuration has unknown settings {unknown}: it was '
                             f'written by another version of this package')
        return ModelConfig(**values)


PRESETS = {
    'fast': ModelConfig(),
    'paper': ModelConfig(preset='paper', decoder='broadcast', channels=32, trunk='strided',
                         initial_belief='shared', action_inference='network'),
    # For tests of the machinery: too small to learn anything worth having.
    'smoke': ModelConfig(preset='smoke', image_size=32, latent_size=8, channels=8,
                         texels=16, hidden_size=16),
}
