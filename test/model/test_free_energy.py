# SPDX-License-Identifier: Apache-2.0
"""The fast gradients against plain autograd over the whole free energy, in float64."""
from dataclasses import replace

import pytest
import torch

from obai_ros.model.belief import ActionBelief, Belief
from obai_ros.model.config import ModelConfig
from obai_ros.model.dynamics import prior_term
from obai_ros.model.free_energy import attach, evaluate
from obai_ros.model.inference import iterate_clip
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.object_action import action_term, sampled_mask
from obai_ros.model.schedule import Schedule
from obai_ros.model.window import mask_at_points


def window_after(model, clip, steps, window=3):
    """Return the window of a clip after so many refinements."""
    images, fields = clip
    for step, state, _ in iterate_clip(model, images, fields, Schedule(2, None, window),
                                       Noise.seeded(range(len(images)))):
        if step == steps:
            return state.detach()


def plain_free_energy(model, window, packed, action_packed, fixed_action, noise,
                      temperature=None):
    """Eq. 8 and 15 as they stand, for autograd: no closed form of any gradient."""
    config = model.config
    belief = Belief.unpack(packed)
    sample = belief.mean + belief.log_sd.exp() * noise.normal(*belief.mean.shape,
                                                              dtype=torch.float64)
    output = model.decode(sample)
    colour, log_mask = torch.sigmoid(output[..., :3, :]), torch.log_softmax(output[..., 3, :], 2)
    normal = torch.distributions.Normal(colour, config.sigma_o).log_prob(
        window.images[:, :, None]).sum(-2)
    total = -config.beta * torch.logsumexp(log_mask + normal, 2).sum()
    total = total - belief.entropy().sum()
    first = belief[:, 0]
    if window.past is None:
        total = total + prior_term(first).sum()
    else:
        total = total + model.dynamics.transition_term(first, window.past.belief,
                                                       window.past.action).sum()
    action = (fixed_action if fixed_action is not None
              else ActionBelief(*action_packed.chunk(2, -1)))
    for frame, field in enumerate(window.fields):
        mask = mask_at_points(log_mask[:, frame].exp(), field)
        if temperature is not None:
            gumbel = noise.gumbel(*mask.shape, dtype=torch.float64)
            mask = sampled_mask(mask.log(), gumbel, temperature)
        received = mask @ field.acceleration.double()
        total = total + action_term(action[:, frame], received, config.sigma_psi).sum()
        total = total - action[:, frame].entropy().sum()
        total = total + model.dynamics.transition_term(
            belief[:, frame + 1], belief[:, frame], action[:, frame]).sum()
    return total


@pytest.mark.parametrize('temperature', [None, 0.7], ids=['expected', 'sampled'])
@pytest.mark.parametrize('kind', ['closed_form', 'network'])
@pytest.mark.parametrize('steps', [1, 3, 5, 7])
def test_loss_and_gradients_are_those_of_autograd(make_model, make_clip, kind, steps,
                                                  temperature):
    """Windows of 1, 2 and 3 frames, and one that has slid on."""
    model, clip = make_model(action_inference=kind), make_clip(frames=4)
    window = window_after(model, clip, steps)
    evaluation = evaluate(model, window, Noise.seeded([3, 4]), temperature)
    packed = window.packed.clone().requires_grad_()
    action_packed = window.action_packed.clone().requires_grad_()
    fixed = (ActionBelief(*evaluation.action_packed.chunk(2, -1)) if kind == 'closed_form'
             else None)
    expected = plain_free_energy(model, window, packed, action_packed, fixed,
                                 Noise.seeded([3, 4]), temperature)
    assert torch.allclose(evaluation.loss, expected, rtol=1e-10)
    assert torch.allclose(evaluation.free_energy.total.sum(), expected, rtol=1e-10)
    gradient, = torch.autograd.grad(expected, packed, retain_graph=True)
    assert (evaluation.gradient - gradient).norm() / gradient.norm() < 1e-9
    if kind == 'network' and window.frames > 1:
        gradient, = torch.autograd.grad(expected, action_packed)
        assert (evaluation.action_gradient - gradient).norm() / gradient.norm() < 1e-9


def test_gradient_against_finite_differences(make_model, make_clip):
    model = make_model()
    window = window_after(model, make_clip(), 5)
    evaluation = evaluate(model, window, Noise.seeded([3, 4]))
    fixed = ActionBelief(*evaluation.action_packed.chunk(2, -1))
    for place in [(0, 0, 0, 0), (1, 2, 3, 9), (0, 1, 2, 17), (1, 0, 1, 30)]:
        values = []
        for step in (1e-5, -1e-5):
            packed = window.packed.clone()
            packed[place] += step
            values.append(plain_free_energy(model, window, packed, None, fixed,
                                            Noise.seeded([3, 4])).item())
        slope = (values[0] - values[1]) / 2e-5
        assert abs(slope - evaluation.gradient[place].item()) < 1e-5 * max(abs(slope), 1.0)


def test_learning_reaches_every_parameter_with_the_gradient_of_autograd(make_model, make_clip):
    """One evaluation: the decoder's and D's gradients against autograd over the plain form."""
    model = make_model()
    window = window_after(model, make_clip(), 3)
    window = replace(window, packed=window.packed.requires_grad_())
    evaluation = evaluate(model, window, Noise.seeded([3, 4]), learning=True)
    evaluation.loss.backward()
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()
             if parameter.grad is not None}
    model.zero_grad()
    fixed = ActionBelief(*evaluation.action_packed.chunk(2, -1))
    plain_free_energy(model, window, window.packed, None, fixed,
                      Noise.seeded([3, 4])).backward()
    for name, parameter in model.named_parameters():
        if name.startswith(('decoder', 'dynamics')):
            error = (found[name] - parameter.grad).norm() / parameter.grad.norm()
            assert error < 1e-9, name


@pytest.mark.parametrize('kind', ['closed_form', 'network'])
def test_gumbel_samples_change_what_depends_on_actions_only(make_model, make_clip, kind):
    """And not what a network is told, which are expected actions (Appendix B.2)."""
    model = make_model(action_inference=kind)
    window = window_after(model, make_clip(), 3)
    plain = evaluate(model, window, Noise.seeded([3, 4]))
    sampled = evaluate(model, window, Noise.seeded([3, 4]), temperature=0.5)
    assert torch.equal(plain.free_energy.reconstruction, sampled.free_energy.reconstruction)
    assert torch.equal(plain.free_energy.state_entropy, sampled.free_energy.state_entropy)
    assert not torch.equal(plain.free_energy.action, sampled.free_energy.action)
    assert torch.equal(plain.received, sampled.received)
    # In closed form q(a) follows the sample, and the transitions q(a).
    follows = torch.equal(plain.free_energy.dynamics, sampled.free_energy.dynamics)
    assert follows == (kind == 'network')


def test_free_energies_do_not_depend_on_an_autocast_outside(make_clip):
    torch.manual_seed(0)
    model = Obai(ModelConfig.named('smoke'))
    images, fields = make_clip()
    window = window_after(model, (images.float(), [replace(field, acceleration=(
        field.acceleration.float())) for field in fields]), 3)
    expected = evaluate(model, window, Noise.seeded([3, 4]))
    with torch.autocast('cpu', torch.bfloat16):
        found = evaluate(model, window, Noise.seeded([3, 4]))
    assert found.free_energy.total.dtype == torch.float32
    assert torch.equal(found.free_energy.total, expected.free_energy.total)
    assert torch.equal(found.gradient, expected.gradient)


def test_attached_gradients_flow():
    x, y = torch.ones(3, requires_grad=True), torch.ones(2, requires_grad=True)
    total = 2 * attach(torch.tensor(5.0), [x, y], [torch.arange(3.0), torch.full((2,), 7.0)])
    total.backward()
    assert float(total.detach()) == 10.0
    assert torch.equal(x.grad, 2 * torch.arange(3.0))
    assert torch.equal(y.grad, torch.full((2,), 14.0))


def test_what_slots_cost_adds_up_and_counts_pixels_by_responsibility(make_model, make_clip):
    model = make_model()
    window = window_after(model, make_clip(), 3)
    evaluation = evaluate(model, window, Noise.seeded([3, 4]))
    energy, seen = evaluation.free_energy, evaluation.mixture
    assert energy.of_slots.shape == (2, window.frames, model.config.num_slots)
    assert torch.allclose(energy.of_slots.sum(-1), energy.total, rtol=1e-12)
    assert torch.allclose(energy.reconstruction.sum(-1), seen.negative_log_likelihood(),
                          rtol=1e-12)
    slot = 2
    owned = seen.responsibility[:, :, slot, 0] * seen.log_likelihood[:, :, 0, 0]
    assert torch.allclose(energy.reconstruction[:, :, slot], -owned.sum(-1), rtol=1e-12)
    assert torch.allclose(energy.state_entropy, window.belief.entropy(), rtol=1e-12)
