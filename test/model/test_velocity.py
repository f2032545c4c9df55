# SPDX-License-Identifier: Apache-2.0
"""Velocities in closed form against the free energy, which nothing may lower any more."""
from dataclasses import replace

import pytest
import torch

from obai_ros.model.filter import Filter
from obai_ros.model.free_energy import evaluate
from obai_ros.model.inference import infer_clip, iterate_stream
from obai_ros.model.noise import Noise, Silence
from obai_ros.model.refinement import refine_repeatedly
from obai_ros.model.schedule import Schedule
from obai_ros.model.velocity import best_velocities
from obai_ros.model.window import extend, open_window

SIZE = 8
"""N of the smoke model."""


@pytest.fixture
def windows(make_model, make_clip):
    """Return a model and windows of all kinds: of one to three frames, with a past and without."""
    model, (images, fields) = make_model(), make_clip()

    def seen(window):
        return refine_repeatedly(model, window, 2, Noise.seeded(range(2)))[0]
    kinds = [seen(open_window(model, images[:, 0]))]
    for frame, size in ((1, 3), (2, 3), (3, 2), (3, 1)):
        kinds.append(seen(extend(model, kinds[-1], images[:, frame % 3], fields[frame % 2], size)))
    return model, kinds


def latent_energy(model, window, velocity):
    """Return the sum of all that depends on velocities, with q(a) as it was."""
    belief = replace(window.belief, velocity=velocity)
    action = window.action_belief
    total = 0.0
    for frame in range(window.frames):
        if frame:
            total = total + model.dynamics.transition_term(
                belief[:, frame], belief[:, frame - 1], action[:, frame - 1]).sum()
        elif window.past is not None:
            total = total + model.dynamics.transition_term(
                belief[:, 0], window.past.belief, window.past.action).sum()
        else:
            total = total + 0.5 * belief.velocity[:, 0].square().sum()
    return total


def test_no_other_velocities_have_less_free_energy(windows):
    model, kinds = windows
    for window in kinds:
        best = best_velocities(model, window)
        velocity = best.belief.velocity.detach().requires_grad_()
        latent_energy(model, window, velocity).backward()
        torch.testing.assert_close(velocity.grad, torch.zeros_like(velocity), rtol=0, atol=1e-8)
        with torch.no_grad():
            assert latent_energy(model, window, velocity) < latent_energy(
                model, window, window.belief.velocity)
        for name in ('mean', 'log_sd', 'velocity_log_sd'):
            assert torch.equal(getattr(best.belief, name), getattr(window.belief, name))


def test_the_free_energy_that_is_reported_falls(windows):
    model, kinds = windows
    window = kinds[3]
    before, after = (evaluate(model, each, Silence()).free_energy.of_slots[:, -1].sum()
                     for each in (window, best_velocities(model, window)))
    assert after < before


def test_steady_motion_is_seen_as_what_it_is(make_model, make_clip):
    model, (images, _) = make_model(), make_clip()
    window = open_window(model, images[:, 0])
    step = torch.full((1, 1, 1, SIZE), .02).double()
    place = torch.arange(5).double().view(1, 5, 1, 1) * step
    mean = torch.cat([place, place], 0).expand(2, 5, 4, SIZE)
    packed = torch.cat([mean, torch.zeros_like(mean), mean * 0 - 3, mean * 0 - 3], -1)
    window = replace(window, packed=packed, images=window.images.expand(-1, 5, -1, -1),
                     action_packed=torch.zeros(2, 4, 4, 4).double())
    velocity = best_velocities(model, window).belief.velocity
    # The prior of the first velocity holds it back, by next to nothing.
    torch.testing.assert_close(velocity, step.expand_as(velocity), rtol=.02, atol=0)


@pytest.mark.parametrize('descent', [0, 2])
def test_clips_and_streams_end_with_them(make_model, make_clip, descent):
    model, (images, fields) = make_model(), make_clip()
    plain = Schedule(2, 3, 2, descent=descent)
    exact = plain.changed(exact_velocities=True)
    assert not torch.equal(*(
        infer_clip(model, images, fields, schedule, Noise.seeded([4, 5])).velocity[:, -1]
        for schedule in (plain, exact)))
    stream = Filter(model, exact)
    state = stream.start(batch=2, seed=4)
    for frame in range(3):
        state, percept = stream.step(state, images[:, frame], fields[frame - 1] if frame else None)
        again = best_velocities(model, state.window)
        torch.testing.assert_close(again.packed, state.window.packed)
        torch.testing.assert_close(percept.belief.velocity, again.belief.velocity[:, -1])


def test_learning_goes_through_them(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip()
    schedule = Schedule(1, 1, 2, exact_velocities=True)
    arrivals = list(zip(images[:, 1:].unbind(1), fields, strict=False))
    for _, window, evaluation in iterate_stream(
            model, open_window(model, images[:, 0]), arrivals, schedule, Noise.seeded([1, 2]),
            learning=True, first=1):
        pass
    torch.testing.assert_close(best_velocities(model, window).packed, window.packed)
    evaluation.loss.backward()
    assert all(torch.isfinite(value.grad).all() for value in model.parameters()
               if value.grad is not None)
