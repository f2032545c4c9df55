# SPDX-License-Identifier: Apache-2.0
"""The filter against the clip, its memory, and images unlike any it was trained on."""
import gc
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from obai_ros.action_field import ActionField
from obai_ros.model.config import ModelConfig
from obai_ros.model.filter import Filter
from obai_ros.model.inference import infer_clip
from obai_ros.model.likelihood import mixture
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.percept import (border_mass, contrast, CONTRAST, describe_planes, is_rim,
                                     label, moments, worth)
from obai_ros.model.schedule import Schedule


def tensors_in(value):
    """Return the number of elements of all tensors below a dataclass, tuple or dictionary."""
    if isinstance(value, torch.Tensor):
        return value.numel()
    if isinstance(value, (tuple, list)):
        return sum(tensors_in(item) for item in value)
    if hasattr(value, '__dict__'):
        return sum(tensors_in(item) for item in vars(value).values())
    return 0


@pytest.mark.parametrize('kind', ['closed_form', 'network'])
def test_a_stream_gives_the_beliefs_of_a_clip(make_model, make_clip, kind):
    model, (images, fields) = make_model(action_inference=kind), make_clip(batch=2, frames=4)
    clip = infer_clip(model, images, fields, Schedule(2, 3, 2), Noise.seeded([4, 5]))
    stream = Filter(model, Schedule(2, 3, 2))
    state = stream.start(batch=2, seed=4)
    for frame in range(4):
        state, percept = stream.step(state, images[:, frame], fields[frame - 1] if frame else None)
    # The newest frame of the clip has been refined as often as in the stream.
    assert torch.allclose(percept.belief.mean, clip.mean[:, -1], atol=1e-9)
    assert torch.allclose(percept.belief.velocity_log_sd, clip.velocity_log_sd[:, -1], atol=1e-9)


def test_what_a_percept_says_about_slots_is_consistent(make_model, make_clip):
    model, (images, _) = make_model(), make_clip()
    stream = Filter(model, Schedule(2, None, 2))
    _, percept = stream.step(stream.start(2), images[:, 0])
    size = model.config.image_size
    assert torch.allclose(percept.masks.sum(1), torch.ones(2, size, size).double())
    assert torch.allclose(percept.assignment.sum(1), torch.ones(2, size, size).double())
    assert torch.allclose(percept.mass.sum(1), torch.full((2,), float(size * size)).double())
    labels = label(percept.assignment, percept.background, percept.empty, threshold=0.0)
    share = percept.assignment.masked_fill(percept.empty[..., None, None], 0.0)
    winner = share.argmax(1)
    for index in range(2):
        background = percept.background[index]
        assert (labels[index][winner[index] == background] == 0).all()
        other = (background + 1) % 4
        assert (labels[index][winner[index] == other] == other + 1).all()
    sure = (share / share.sum(1, keepdim=True)).amax(1) >= 0.5
    assert torch.equal(percept.labels, torch.where(sure, labels, 255))
    assert (label(percept.assignment, percept.background, percept.empty, 1.1) == 255).all()
    assert percept.reconstruction().shape == percept.hard_reconstruction().shape == (2, 3, 32, 32)


def test_lines_are_rims_and_what_is_thicker_is_not():
    won = torch.zeros(1, 5, 16, 16, dtype=torch.bool)
    won[0, 0, 3, 2:14] = True                                  # a line
    won[0, 1, torch.arange(12), torch.arange(12)] = True       # a slope
    won[0, 2, 2, 2:12] = won[0, 2, 2:12, 12] = True            # a corner
    won[0, 3, 3:5, 2:14] = True                                # two px wide
    won[0, 4, 5:8, 5:8] = True
    assert is_rim(won).tolist() == [[True, True, True, False, False]]


def test_contrast_is_the_change_of_colour_from_an_object_to_the_ground():
    won = torch.zeros(1, 4, 20, 20, dtype=torch.bool)
    won[0, 0, 4:10, 4:10] = won[0, 1, 10:18, 5:15] = True       # of the second nothing is seen
    won[0, 2] = ~won[0].any(0)                                  # the ground; the last has nothing
    background = torch.tensor([2])
    image = torch.full((1, 3, 20, 20), 0.4)
    image += torch.linspace(0, 0.1, 20)                         # shaded from left to right
    assert contrast(won, background, image)[0, :2].max() < CONTRAST / 2
    image[:, 1, 4:10, 4:10] += 0.2
    assert contrast(won, background, image)[0, :2].tolist() == pytest.approx([0.2, 0.01], abs=0.02)
    assert contrast(won, background, image)[0, 3] == torch.inf
    noise = 0.02 * torch.randn(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    found = contrast(won, background, image + noise)[0]
    assert found[0] > 0.17 and found[1] < CONTRAST


def test_worth_is_what_an_image_costs_more_without_a_slot():
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(2, 4, 4, 64, generator=generator, dtype=torch.float64)
    image = torch.rand(2, 3, 64, generator=generator, dtype=torch.float64)
    seen = mixture(output, image, 0.3)
    found = worth(*(each.view(2, 4, 8, 8) for each in (seen.mask, seen.responsibility)))
    for slot in range(4):
        rest = [other for other in range(4) if other != slot]
        without = mixture(output[:, rest], image, 0.3).negative_log_likelihood()
        assert torch.allclose(found[:, slot], without - seen.negative_log_likelihood())


def test_a_slot_in_the_colour_of_the_ground_is_empty_and_its_pixels_are_the_grounds():
    """Slot 1 shows a red square, slot 2 claims as large a one where the ground shows."""
    logit = torch.full((3, 16, 16), -6.0)
    logit[0], logit[1, 2:6, 2:6], logit[2, 9:13, 9:13] = 0.0, 6.0, 6.0
    colour = torch.full((3, 3, 16, 16), 0.5)
    colour[1] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    output = torch.cat([torch.logit(colour, 1e-4), logit[:, None]], 1).flatten(-2)[None]
    image = torch.full((1, 3, 16, 16), 0.5)
    image[0, :, 2:6, 2:6] = colour[1, :, :4, :4]
    seen = mixture(output, image.flatten(-2), 0.1)
    found = describe_planes(*(value.unflatten(-1, (16, 16)) for value in (
        seen.colour, seen.mask[:, :, 0], seen.responsibility[:, :, 0])), image)
    assert found.empty.tolist() == [[False, False, True]]
    assert (found.labels[0, 9:13, 9:13] == 0).all() and (found.labels[0, 2:6, 2:6] == 2).all()


def test_centroids_use_the_coordinates_of_the_environment():
    masks = torch.zeros(1, 2, 32, 32)
    masks[0, 0, 10:20, 4:8] = 1.0
    masks[0, 1] = 1.0 - masks[0, 0]
    mass, centroid = moments(masks)
    assert mass[0].tolist() == [40.0, 984.0]
    assert centroid[0, 0].tolist() == [6.0, 15.0]
    assert border_mass(masks, masks.sum((-1, -2)))[0].tolist() == [0.0, 124.0]


def test_coasting_follows_the_dynamics_and_the_next_frame_continues(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip(frames=3)
    stream = Filter(model, Schedule(2, None, 2))
    state, percept = stream.step(stream.start(2), images[:, 0])
    nothing = stream.coast(state)
    predicted = stream.predict(state).beliefs[0]
    assert torch.allclose(nothing.window.past.belief.mean, predicted.mean)
    assert nothing.frame == 2 and nothing.window.frames == 0
    state, _ = stream.step(nothing, images[:, 1], fields[0])
    assert state.window.frames == 1 and state.window.past is not None
    state, percept = stream.step(state, images[:, 2])
    assert state.window.frames == 2 and torch.isfinite(percept.belief.mean).all()


def test_confined_velocities_are_those_that_accelerations_can_bring_about(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip(frames=2)
    stream = Filter(model, Schedule(1, 2, 2, confined=True))
    state, percept = stream.step(stream.start(2), images[:, 0])
    free, kept = percept.belief.velocity, stream.coast(state).window.past.belief.velocity
    D = model.dynamics.D
    weights = torch.linalg.lstsq(D, free.flatten(0, 1).mT).solution
    assert torch.allclose(kept.flatten(0, 1).mT, D @ weights)  # the nearest in the span of D
    assert (kept - free).norm() > 0.1 * free.norm()
    assert torch.allclose(model.dynamics.confined(kept), kept)
    state, _ = stream.step(state, images[:, 1], fields[0])
    assert torch.isfinite(state.window.packed).all()


def test_predictions_move_with_future_actions(make_model, make_clip):
    model, (images, _) = make_model(), make_clip()
    stream = Filter(model, Schedule(1, None, 2))
    state, percept = stream.step(stream.start(2), images[:, 0])
    push = torch.tensor([2.0, -1.0]).double().expand(2, 4, 2)
    plain = stream.predict(state, 2)
    pushed = stream.predict(state, 2, [push, torch.zeros_like(push)])
    change = pushed.beliefs[1].mean - plain.beliefs[1].mean
    assert torch.allclose(change, 2 * model.dynamics.push(push), atol=1e-9)
    assert pushed.images.shape == (2, 2, 3, 32, 32) and pushed.masks.shape == (2, 2, 4, 32, 32)
    with pytest.raises(ValueError, match='1 actions were given for 2 frames'):
        stream.predict(state, 2, [push])


def test_memory_does_not_grow_and_nothing_overflows_on_strange_images():
    """A few hundred frames of every kind of image, with huge actions."""
    torch.manual_seed(0)
    model = Obai(ModelConfig.named('smoke'))
    stream = Filter(model, Schedule(1, None, 2))
    generator = torch.Generator().manual_seed(0)
    kinds = [torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32),
             torch.rand(1, 3, 32, 32, generator=generator),
             (torch.rand(1, 3, 32, 32, generator=generator) > 0.5).float()]
    state, sizes = stream.start(), []
    push = ActionField(torch.tensor([[3]]), torch.tensor([[4]]), torch.full((1, 1, 2), 1e3), 32,
                       32)
    for frame in range(300):
        state, percept = stream.step(state, kinds[frame // 7 % 4], push if frame % 5 else None)
        assert all(torch.isfinite(value).all() for value in vars(percept.belief).values())
        assert torch.isfinite(percept.masks).all() and torch.isfinite(percept.free_energy).all()
        sizes.append(tensors_in(state))
    assert len(set(sizes[3:])) <= 2  # with and without a point in the field


@pytest.mark.parametrize('frames', [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_many_frames_leave_nothing_behind(frames):
    """A model as small as can be, since what is counted does not depend on its size."""
    torch.manual_seed(0)
    side, generator = 16, torch.Generator().manual_seed(0)
    model = Obai(replace(ModelConfig.named('smoke'), image_size=side, num_slots=2, channels=4))
    stream = Filter(model, Schedule(1, None, 2))
    state, images = stream.start(), torch.rand(16, 1, 3, side, side, generator=generator)
    settled = None
    for frame in range(frames):
        state, percept = stream.step(state, images[frame % 16])
        assert torch.isfinite(state.window.packed).all()
        if frame == frames // 2:
            settled = tensors_in(state), _objects(), _resident_bytes()
    assert torch.isfinite(percept.masks).all() and torch.isfinite(percept.free_energy).all()
    elements, objects, resident = settled
    assert tensors_in(state) == elements
    assert _objects() < objects + 100
    assert _resident_bytes() < resident + 20e6


def _objects():
    """Return the number of objects that Python keeps book of, less those no longer needed."""
    gc.collect()
    return len(gc.get_objects())


def _resident_bytes():
    """Return the memory this process occupies at the moment, of Linux."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')


def test_a_stream_refuses_what_does_not_fit(make_model, make_clip):
    model, (images, _) = make_model(), make_clip()
    stream = Filter(model, Schedule(1, None, 2))
    state, _ = stream.step(stream.start(2), images[:, 0])
    with pytest.raises(ValueError, match='1 images came for 2 streams'):
        stream.step(state, images[:1, 1])
    with pytest.raises(ValueError, match='64x64 grid'):
        stream.step(state, images[:, 1], ActionField.empty(2, 64, 64))
    with pytest.raises(ValueError, match='3 seeds were given for 2 streams'):
        stream.start(2, seed=[1, 2, 3])
    with pytest.raises(ValueError, match='nothing has been seen yet'):
        stream.predict(stream.start(2))
    with pytest.raises(ValueError, match='0 frames are to be predicted'):
        stream.predict(state, frames=0)
    with pytest.raises(ValueError, match='there are no images'):
        stream.step(stream.start(0), images[:0, 0])
    with pytest.raises(ValueError, match='seeds say what 3 latents are, and the model has 2'):
        Filter(make_model(latent_size=2, decoder='broadcast', trunk='strided'),
               Schedule(seeds=True))


def test_refining_ends_early_once_beliefs_have_settled(make_model, make_clip):
    model, (images, _) = make_model(), make_clip(batch=1)

    def spent(settled):
        stream = Filter(model, Schedule(6, 3, 2, settled=settled))
        state, first = stream.step(stream.start(1), images[:, 0])
        _, percept = stream.step(state, images[:, 0])
        return first.iterations, percept.iterations

    assert spent(0.0) == (3, 6)
    assert spent(1e6) == (3, 2)  # one to know the free energy, one to see that it stays
    # It is the same as having asked for so few.
    one = Filter(model, Schedule(6, 3, 2, settled=1e6))
    other = Filter(model, Schedule(2, 3, 2))
    beliefs = [stream.step(stream.step(stream.start(1), images[:, 0])[0], images[:, 1])[1].belief
               for stream in (one, other)]
    assert torch.equal(beliefs[0].mean, beliefs[1].mean)


def test_streams_settle_each_by_itself(make_model, make_clip):
    """Also as to their random numbers: a frame later they are still what they would be alone."""
    model, (images, fields) = make_model(), make_clip(batch=3, frames=3)
    images[1::2] *= 0.2
    stream = Filter(model, Schedule(12, 2, 2, settled=1e-5))

    def watch(index):
        state, beliefs, spent = stream.start(len(index), index.tolist()), [], []
        for frame in range(3):
            field = fields[frame - 1][index] if frame else None
            state, percept = stream.step(state, images[index, frame], field)
            beliefs.append(percept.belief.pack())
            spent.append(percept.iterations)
        return torch.stack(beliefs, 1), spent

    together, most = watch(torch.arange(3))
    alone, spent = zip(*(watch(torch.tensor([index])) for index in range(3)))
    assert len({each[1] for each in spent}) > 1, 'they are to settle at different times'
    assert [max(each) for each in zip(*spent)] == most
    torch.testing.assert_close(together, torch.cat(alone), rtol=0.0, atol=1e-9)


@pytest.mark.parametrize('interval, cost, expected', [
    (0.1, 0.02, 4),     # all of them: .1 s are enough for 4 x .02 s
    (0.1, 0.03, 3),
    (0.1, 1.0, 1)])
def test_iterations_follow_the_rate_of_the_camera(interval, cost, expected):
    from obai_ros.model.pace import Pace
    pace = Pace()
    assert pace.iterations(4) == 4  # nothing is known yet
    for number in range(5):
        pace.came(100.0 + number * interval)
        pace.took(4 * cost, 4)
    assert pace.iterations(4) == expected
    pace.came(1.0)  # a clock that is set back says nothing about the rate
    assert pace.iterations(4) == 4
