# SPDX-License-Identifier: Apache-2.0
"""Beliefs to messages and back, and what is refused."""

import dataclasses
from types import SimpleNamespace

from hypothesis import given, settings, strategies as st
import numpy as np
from obai_ros.messages import beliefs
import pytest


def make(slots=4, latents=16, seed=0, **changes):
    rng = np.random.default_rng(seed)
    contact = rng.random((slots, slots), np.float32)
    values = dict(
        frame=12, model_id='0123456789abcdef', height=64, width=48,
        **{name: rng.standard_normal((slots, latents), np.float32)
           for name in beliefs.LATENT_FIELDS},
        centroid=rng.random((slots, 2), np.float32), mass=rng.random(slots, np.float32),
        traits=rng.random((slots, beliefs.TRAITS), np.float32),
        labels=rng.integers(0, slots + 1, (64, 48), np.uint8), empty=rng.random(slots) < .5,
        background=int(rng.integers(slots)),
        contact_row=rng.integers(0, 64, slots), contact_col=rng.integers(0, 48, slots),
        contact_probability=contact / contact.sum(-1, keepdims=True),
        reachable=rng.random(slots) < .5, free_energy=-12.5,
        slot_free_energy=rng.random(slots, np.float32),
        entropy=rng.random(slots, np.float32), iterations=4)
    return beliefs.Beliefs(**{**values, **changes})


def assert_equal(one, other):
    for field in dataclasses.fields(beliefs.Beliefs):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 40), st.integers(0, 2**32))
def test_what_is_written_is_read(slots, latents, seed):
    meant = make(slots, latents, seed)
    message = beliefs.write(meant, SimpleNamespace())
    assert message.mean.typecode == 'f' and message.contact_row.typecode == 'I'
    read = beliefs.read(message)
    assert_equal(read, meant)
    assert read.mean.dtype == np.float32 and read.empty.dtype == bool
    assert read.contact_row.dtype == np.int64


def test_latents_are_slot_major():
    meant = make(2, 3)
    message = beliefs.write(meant, SimpleNamespace())
    assert message.mean[1 * 3 + 2] == meant.mean[1, 2]
    assert message.contact_probability[1 * 2 + 0] == meant.contact_probability[1, 0]


@pytest.mark.parametrize('changes, words', [
    ({'mean': [0.] * 63}, 'mean of length 63, expected 64 for 4 slots of 16 latents'),
    ({'num_slots': 5}, 'expected 80 for 5 slots'),
    ({'num_slots': 0}, 'expected 0'),
    ({'centroid_y': [1.]}, 'centroid_y of length 1, expected 4'),
    ({'labels': [0] * 7}, 'labels of length 7, expected 3072 .* 48x64 px'),
    ({'contact_probability': []}, 'contact_probability of length 0, expected 16'),
    ({'velocity': [float('nan')] * 64}, 'velocity holds a number that is not finite'),
    ({'mean': [0.] * 63 + [3e38]}, r'mean holds 3e\+38, expected -1000 \.\. 1000'),
    ({'log_sd': [0.] * 63 + [-45.]}, r'log_sd holds -45, expected -10 \.\. 10'),
    ({'centroid_x': [0., 0., 0., float('inf')]}, 'centroid holds a number that is not finite'),
    ({'centroid_y': [0., 0., 0., 99.]}, 'centroid holds 99, expected -1 .. 65'),
    ({'mass': [-1., 0., 0., 0.]}, 'mass holds -1, expected 0 .. inf'),
    ({'traits': [1e30] * 44}, r'traits holds 1e\+30, expected'),
    ({'contact_probability': [1e30] * 16}, r'probability holds 1e\+30, expected -0.001 .. 1.001'),
    ({'background': 4}, r'background is slot 4, expected 0 \.\. 3'),
    ({'contact_row': [0, 64, 0, 0]}, r'contact_row is \[0, 64, 0, 0\], expected 0 \.\. 63'),
    ({'contact_col': [0, 0, 0, 48]}, r'expected 0 \.\. 47'),
])
def test_beliefs_that_contradict_themselves_are_refused_in_words(changes, words):
    message = beliefs.write(make(), SimpleNamespace())
    vars(message).update(changes)
    with pytest.raises(beliefs.BeliefsError, match=words):
        beliefs.read(message)


def test_whatever_the_model_may_believe_can_be_sent():
    from obai_ros.model.belief import LOG_SD_BOUNDS, MEAN_BOUND
    for bound in (-MEAN_BOUND, MEAN_BOUND):
        make(mean=np.full((4, 16), bound), velocity=np.full((4, 16), 2 * bound))
    for bound in LOG_SD_BOUNDS:
        make(log_sd=np.full((4, 16), bound), velocity_log_sd=np.full((4, 16), bound))


def test_the_shapes_are_checked_before_anything_is_sent():
    with pytest.raises(beliefs.BeliefsError, match=r'entropy has shape \[3\], expected \[4\]'):
        make(entropy=np.zeros(3, np.float32))
    with pytest.raises(beliefs.BeliefsError, match=r'mean has shape \[4\], expected \[K, N\]'):
        make(mean=np.zeros(4, np.float32))


def test_the_real_message_takes_all_fields():
    SlotBeliefs = pytest.importorskip('obai_ros.msg').SlotBeliefs
    meant = make()
    assert_equal(beliefs.read(beliefs.write(meant, SlotBeliefs())), meant)
