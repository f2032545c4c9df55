# SPDX-License-Identifier: Apache-2.0
"""Bookkeeping of iterations and windows, and the symmetries inference must have."""
from dataclasses import replace

import pytest
import torch

from obai_ros.model.belief import Belief
from obai_ros.model.free_energy import evaluate
from obai_ros.model.inference import begin, infer_clip, iterate_clip
from obai_ros.model.noise import Noise
from obai_ros.model.refinement import refine, refine_repeatedly
from obai_ros.model.schedule import Schedule
from obai_ros.model.window import extend, open_window, receive


class Fixed(Noise):
    """Noise that was drawn beforehand: draw n is the same for every caller."""

    def __init__(self, change=lambda draw: draw, seed=0):
        self.generator = torch.Generator().manual_seed(seed)
        self.change = change

    def normal(self, *shape, dtype=torch.float32):
        return self.change(torch.randn(shape, generator=self.generator, dtype=dtype))


def test_iterations_and_visits_are_those_of_the_paper(make_model, make_clip):
    """F x 4 iterations on F frames; the window grows to 4: frame f is visited 4 (F - f) times."""
    images, fields = make_clip(frames=4)
    visits, steps = torch.zeros(4, dtype=torch.int64), []
    for step, window, _ in iterate_clip(make_model(), images, fields, Schedule(4, None, 4),
                                        Noise.seeded([0, 1])):
        steps.append(step)
        if step < 16:
            visits[:window.frames] += 1
    assert steps == list(range(17))
    assert visits.tolist() == [16, 12, 8, 4]


def test_what_leaves_the_window_takes_the_action_after_it_along(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip(frames=4)
    window = open_window(model, images[:, 0])
    for frame in range(1, 4):
        window, _ = refine_repeatedly(model, window, 1, Noise.seeded([5, 6]))
        before = window
        window = extend(model, window, images[:, frame], fields[frame - 1], 2)
    assert torch.equal(window.past.belief.mean, before.belief.mean[:, 0])
    assert torch.equal(window.past.action.mean, before.action_belief.mean[:, 0])
    # And the frame that stays has the one that was expected just now.
    now = receive(model, before.mask, fields[2])
    assert torch.equal(window.action_belief.mean[:, 0], now.mean)
    assert not torch.equal(window.past.action.mean, now.mean)


def test_a_sliding_window_keeps_its_size_and_its_past(make_model, make_clip):
    images, fields = make_clip(frames=4)
    frames, pasts = [], []
    for _, window, _ in iterate_clip(make_model(), images, fields, Schedule(2, 3, 2),
                                     Noise.seeded([0, 1])):
        frames.append(window.frames)
        pasts.append(window.past is not None)
    assert frames == 3 * [1] + 7 * [2]
    assert pasts == 5 * [False] + 5 * [True]


def test_slots_with_beliefs_of_their_own_are_permuted_along_with_these(make_model, make_clip):
    model, (images, fields) = make_model(initial_belief='per_slot'), make_clip()
    order = torch.tensor([2, 0, 3, 1])
    schedule = Schedule(2, None, 2)
    one = infer_clip(model, images, fields, schedule, Fixed())
    with torch.no_grad():
        model.initial.copy_(model.initial[order].clone())
    two = infer_clip(model, images, fields, schedule, Fixed(lambda draw: draw[:, :, order]))
    assert torch.allclose(one.mean[:, :, order], two.mean, atol=1e-9)


@pytest.mark.parametrize('kind', ['closed_form', 'network'])
def test_a_new_frame_begins_where_the_dynamics_lead(make_model, make_clip, kind):
    model, (images, fields) = make_model(action_inference=kind), make_clip()
    window = open_window(model, images[:, 0])
    noise = Noise.seeded([0, 1])
    with torch.no_grad():
        for _ in range(2):
            window = refine(model, window, evaluate(model, window, noise))
        longer = extend(model, window, images[:, 1], fields[0], 4)
        action = receive(model, window.mask, fields[0])
        expected = model.dynamics.extrapolate(window.belief[:, 0], action)
    new = longer.belief[:, 1]
    for name in ('mean', 'velocity', 'log_sd', 'velocity_log_sd'):
        assert torch.allclose(getattr(new, name), getattr(expected, name))
    assert not longer.hidden[:, 1].any() and longer.hidden[:, 0].any()


def test_slots_are_interchangeable(make_model, make_clip):
    """Permuting the noise over slots permutes the beliefs, and does nothing else."""
    model, (images, fields) = make_model(initial_belief='shared'), make_clip()
    order = torch.tensor([2, 0, 3, 1])
    schedule = Schedule(2, None, 2)
    one = infer_clip(model, images, fields, schedule, Fixed())
    two = infer_clip(model, images, fields, schedule, Fixed(lambda draw: draw[:, :, order]))
    assert torch.allclose(one.mean[:, :, order], two.mean, atol=1e-9)
    assert torch.allclose(one.velocity_log_sd[:, :, order], two.velocity_log_sd, atol=1e-9)
    assert not torch.allclose(one.mean[:, :, 0], one.mean[:, :, 1])


def test_a_sequence_alone_has_the_beliefs_it_has_in_a_batch(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip(batch=3)
    schedule = Schedule(2, 3, 2)
    together = infer_clip(model, images, fields, schedule, Noise.seeded([5, 6, 7]))
    alone = infer_clip(model, images[1:2], [field[1:2] for field in fields], schedule,
                       Noise.seeded([6]))
    assert torch.allclose(together.mean[1:2], alone.mean, atol=1e-9)


def test_the_same_seed_gives_the_same_beliefs_and_another_seed_others(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip()
    one, two, other = (infer_clip(model, images, fields, Schedule(2, None, 2),
                                  Noise.seeded(seeds)).mean for seeds in ([1, 2], [1, 2], [8, 9]))
    assert torch.equal(one, two) and not torch.allclose(one, other)


def test_refinement_does_not_backpropagate_into_the_images(make_model, make_clip):
    """The refiner reads gradients and images cut from the graph, as in IODINE."""
    model, (images, _) = make_model(), make_clip()
    window = open_window(model, images[:, 0])
    evaluation = evaluate(model, window, Noise.seeded([0, 1]), learning=True)
    refined = refine(model, window, evaluation)
    refined.packed.sum().backward()
    assert all(parameter.grad is None for parameter in model.decoder.parameters())
    assert model.initial.grad is not None and model.refiner.out.weight.grad is not None


def test_a_clip_that_does_not_fit_is_refused_in_a_sentence(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip()
    noise, schedule = Noise.seeded([0, 1]), Schedule(1, None, 2)
    with pytest.raises(ValueError, match=r'\[B, 3, 32, 32\]'):
        infer_clip(model, images[..., :16], fields, schedule, noise)
    with pytest.raises(ValueError, match='divide 8-bit images by 255'):
        infer_clip(model, images * 255, fields, schedule, noise)
    with pytest.raises(ValueError, match='expected .0, 1.'):
        infer_clip(model, images * float('nan'), fields, schedule, noise)
    with pytest.raises(ValueError, match='16x32 grid'):
        infer_clip(model, images, [replace(fields[0], height=16), *fields[1:]], schedule, noise)
    outside = replace(fields[0], row=fields[0].row + 32)
    with pytest.raises(ValueError, match='outside'):
        infer_clip(model, images, [outside, *fields[1:]], schedule, noise)


def test_of_several_starts_the_one_with_least_free_energy_is_kept(make_model, make_clip):
    model, (images, _) = make_model(), make_clip(batch=3)
    noise = Noise.seeded([5, 6, 7])
    alone = []
    for _ in range(4):
        window, _ = refine_repeatedly(model, open_window(model, images[:, 0]), 2, noise)
        alone.append((window, evaluate(model, window, noise).free_energy.total[:, -1]))
    best, energy = begin(model, images[:, 0], Schedule(2, None, 2, starts=4),
                         Noise.seeded([5, 6, 7]))
    energies = torch.stack([each for _, each in alone])
    assert torch.equal(energy.sum(-1), energies.min(0).values)
    assert energies.argmin(0).unique().numel() > 1  # not the same start for every sequence
    for index, chosen in enumerate(energies.argmin(0).tolist()):
        assert torch.equal(best.packed[index], alone[chosen][0].packed[index])
        assert torch.equal(best.mask[index], alone[chosen][0].mask[index])


def test_a_schedule_changes_in_what_is_asked_for_only():
    trained = Schedule(3, 7, 2)
    assert trained.changed() == Schedule(3, 7, 2)
    assert trained.changed(iterations=4, starts=5) == Schedule(4, 7, 2, 5)
    assert trained.changed(iterations=9, window=3) == Schedule(9, 9, 3)
    assert Schedule(4, None, 2).changed(iterations=2) == Schedule(2, None, 2)
    assert trained.changed(iterations=None, births=None, sampled=None) == trained
    assert trained.changed(births=0, sampled=False) == Schedule(3, 7, 2, sampled=False)
    with pytest.raises(ValueError, match='window is 0'):
        trained.changed(window=0)


def test_impossible_schedules_are_refused():
    with pytest.raises(ValueError, match='iterations is 0'):
        Schedule(iterations=0)
    with pytest.raises(ValueError, match='window is 0'):
        Schedule(window=0)
    with pytest.raises(ValueError, match='first_iterations is 0'):
        Schedule(first_iterations=0)


def test_beliefs_of_a_clip_have_one_entry_per_frame(make_model, make_clip):
    model, (images, fields) = make_model(), make_clip(frames=3)
    belief = infer_clip(model, images, fields, Schedule(1, None, 2), Noise.seeded([0, 1]))
    assert isinstance(belief, Belief) and belief.mean.shape == (2, 3, 4, 8)
