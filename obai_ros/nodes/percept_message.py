# SPDX-License-Identifier: Apache-2.0
"""Percepts as SlotBeliefs messages, one for each stream."""
from __future__ import annotations

from collections.abc import Sequence

from obai_ros.messages import beliefs
from obai_ros.model.percept import Percept

FACTS = ('centroid', 'mass', 'traits', 'labels', 'empty', 'entropy', 'slot_free_energy',
         'contact_row', 'contact_col', 'contact_probability', 'reachable')
"""What a percept and a message call by the same name."""


def write_percept(percept: Percept, frame: int, model_id: str, messages: Sequence) -> Sequence:
    """
    Fill all fields but the headers of B messages, one for each stream of a percept; return them.

    messages: with the fields of obai_ros/SlotBeliefs. frame: number of the frame since the filter
    started.
    """
    belief = percept.belief
    arrays = {
        'mean': belief.mean, 'velocity': belief.velocity, 'log_sd': belief.log_sd,
        'velocity_log_sd': belief.velocity_log_sd, 'free_energy': percept.free_energy,
        **{name: getattr(percept, name) for name in FACTS}}
    arrays = {name: array.to('cpu', non_blocking=True) for name, array in arrays.items()}
    # A GPU copies in turn: once the last has come, all have, and that is waited for here.
    background = percept.background.tolist()
    arrays = {name: array.numpy() for name, array in arrays.items()}
    free_energy = arrays.pop('free_energy').tolist()
    height, width = percept.masks.shape[-2:]
    for stream, message in enumerate(messages):
        beliefs.write(beliefs.Beliefs(
            frame=frame, model_id=model_id, height=height, width=width,
            background=background[stream], free_energy=free_energy[stream],
            iterations=percept.iterations,
            **{name: array[stream] for name, array in arrays.items()}), message)
    return messages
