# SPDX-License-Identifier: Apache-2.0
"""obai_ros/SlotBeliefs <-> numpy: what the filter believes about K slots of N latents."""

from dataclasses import dataclass
import math

import numpy as np

from obai_ros.messages.arrays import typed


class BeliefsError(ValueError):
    """Beliefs contradict themselves."""


@dataclass(frozen=True)
class Beliefs:
    """
    The content of a SlotBeliefs message, less its header.

    frame: images processed since the filter started. model_id: hash of the weights.
    height, width: size of the model's image, px.
    mean, velocity, log_sd, velocity_log_sd: [K, N] float32, of s and s' (per frame).
    centroid: [K, 2] float32 (x, y) px; mass: [K] float32 px; traits: [K, A] float32; empty: [K]
    bool. labels: [H, W] uint8, 0 background, k + 1 slot k, 255 unlabelled.
    background: slot of the background. contact_row, contact_col: [K] int64, px.
    contact_probability: [K, K] float32, [k, j] = of slot j at slot k's contact pixel.
    reachable: [K] bool. free_energy: nats; slot_free_energy: [K] float32, each slot's share of it.
    entropy: [K] float32, nats. iterations: per image.
    """

    frame: int
    model_id: str
    height: int
    width: int
    mean: np.ndarray
    velocity: np.ndarray
    log_sd: np.ndarray
    velocity_log_sd: np.ndarray
    centroid: np.ndarray
    mass: np.ndarray
    traits: np.ndarray
    labels: np.ndarray
    empty: np.ndarray
    background: int
    contact_row: np.ndarray
    contact_col: np.ndarray
    contact_probability: np.ndarray
    reachable: np.ndarray
    free_energy: float
    slot_free_energy: np.ndarray
    entropy: np.ndarray
    iterations: int

    def __post_init__(self):
        if np.ndim(self.mean) != 2 or 0 in np.shape(self.mean):
            raise BeliefsError(f'mean has shape {list(np.shape(self.mean))}, expected [K, N] with '
                               'at least one slot and one latent')
        slots, latents = np.shape(self.mean)
        for names, shape in (
                (LATENT_FIELDS, (slots, latents)), (SLOT_FIELDS, (slots,)),
                (('centroid',), (slots, 2)), (('traits',), (slots, TRAITS)),
                (('labels',), (self.height, self.width)),
                (('contact_probability',), (slots, slots))):
            for name in names:
                if np.shape(getattr(self, name)) != shape:
                    raise BeliefsError(f'{name} has shape {list(np.shape(getattr(self, name)))}, '
                                       f'expected {list(shape)}')
        extent = max(self.height, self.width) + SLACK
        for names, low, high in (
                (('mean', 'velocity'), -FARTHEST, FARTHEST),
                (('log_sd', 'velocity_log_sd'), -LARGEST_LOG_SD, LARGEST_LOG_SD),
                (('centroid',), -SLACK, extent), (('mass',), 0., np.inf),
                (('traits',), -FARTHEST, max(FARTHEST, extent)),
                (('contact_probability',), -ROUNDING, 1. + ROUNDING)):
            for name in names:
                _require_within(name, np.asarray(getattr(self, name)), low, high)
        if not 0 <= self.background < slots:
            raise BeliefsError(f'background is slot {self.background}, expected 0 .. {slots - 1}')
        for name, size in (('contact_row', self.height), ('contact_col', self.width)):
            index = np.asarray(getattr(self, name))
            if ((index < 0) | (index >= size)).any():
                raise BeliefsError(f'{name} is {index.tolist()}, expected 0 .. {size - 1}')


def _require_within(name, values, low, high):
    if not np.isfinite(values).all():
        raise BeliefsError(f'{name} holds a number that is not finite')
    if ((values < low) | (values > high)).any():
        worst = values.flat[np.maximum(low - values, values - high).argmax()]
        raise BeliefsError(f'{name} holds {worst:g}, expected {low:g} .. {high:g}')


FARTHEST, LARGEST_LOG_SD = 1e3, 10.
"""Bounds of latents and velocities, and of log_sd either way, well beyond those of any model:
squares and exponentials of what lies within are numbers still."""

SLACK, ROUNDING = 1., 1e-3
"""By how much places, px, and probabilities may lie outside of where they belong."""

TRAITS = 11
"""A: colour, size and seven moments of the outline; see SlotBeliefs.msg."""

LATENT_FIELDS = ('mean', 'velocity', 'log_sd', 'velocity_log_sd')
SLOT_FIELDS = ('mass', 'empty', 'contact_row', 'contact_col', 'reachable', 'slot_free_energy',
               'entropy')


def read(msg) -> Beliefs:
    """
    Return the content of a message that has the fields of obai_ros/SlotBeliefs.

    Raises BeliefsError when lengths, indices or numbers are not possible.
    """
    slots, latents = msg.num_slots, msg.latent_size

    def take(name, dtype, *shape):
        values = np.asarray(getattr(msg, name), dtype)
        if values.size != math.prod(shape):
            raise BeliefsError(
                f'the beliefs have {name} of length {values.size}, expected '
                f'{math.prod(shape)} for {slots} slots of {latents} latents and '
                f'{msg.width}x{msg.height} px')
        return values.reshape(shape)

    return Beliefs(
        frame=msg.frame, model_id=msg.model_id, height=msg.height, width=msg.width,
        **{name: take(name, np.float32, slots, latents) for name in LATENT_FIELDS},
        centroid=np.stack([take(f'centroid_{axis}', np.float32, slots) for axis in 'xy'], -1),
        mass=take('mass', np.float32, slots),
        traits=take('traits', np.float32, slots, TRAITS),
        labels=take('labels', np.uint8, msg.height, msg.width), empty=take('empty', bool, slots),
        background=msg.background,
        contact_row=take('contact_row', np.int64, slots),
        contact_col=take('contact_col', np.int64, slots),
        contact_probability=take('contact_probability', np.float32, slots, slots),
        reachable=take('reachable', bool, slots), free_energy=msg.free_energy,
        slot_free_energy=take('slot_free_energy', np.float32, slots),
        entropy=take('entropy', np.float32, slots), iterations=msg.iterations)


def write(beliefs: Beliefs, msg):
    """Fill all fields of `msg` but its header, and return it."""
    msg.num_slots, msg.latent_size = np.shape(beliefs.mean)
    for name in ('frame', 'height', 'width', 'background', 'iterations'):
        setattr(msg, name, int(getattr(beliefs, name)))
    msg.model_id = beliefs.model_id
    msg.free_energy = float(beliefs.free_energy)
    for name in (*LATENT_FIELDS, 'mass', 'traits', 'contact_probability', 'slot_free_energy',
                 'entropy'):
        setattr(msg, name, typed('f', getattr(beliefs, name)))
    msg.labels = typed('B', beliefs.labels)
    for axis, name in enumerate(('centroid_x', 'centroid_y')):
        setattr(msg, name, typed('f', np.asarray(beliefs.centroid)[:, axis]))
    for name in ('contact_row', 'contact_col'):
        setattr(msg, name, typed('I', getattr(beliefs, name)))
    for name in ('empty', 'reachable'):
        setattr(msg, name, np.asarray(getattr(beliefs, name), bool).tolist())
    return msg
