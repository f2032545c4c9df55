# SPDX-License-Identifier: Apache-2.0
"""The free energy of a window (eq. 8 with beta, eq. 15), term by term, and its gradients."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obai_ros.model.belief import ActionBelief, Belief
from obai_ros.model.dynamics import prior_term
from obai_ros.model.likelihood import Mixture, mixture
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.object_action import (action_term, expected_action, posterior,
                                          sampled_mask)
from obai_ros.model.window import Window, mask_at_points, point_index


@dataclass(frozen=True)
class FreeEnergy:
    """
    L = -H(q) + beta E[-log p(o|s)] + E[-log p(a|Psi)] + E[-log p(s_t|s_{t-1}, a)], in nats.

    Each term is [B, F, K] and belongs to the frame it is about; transitions and actions belong to
    the frame they lead to. Pixels are no slot's own: what they cost is shared among slots by
    responsibility. Values carry no graph.
    """

    state_entropy: Tensor
    action_entropy: Tensor
    reconstruction: Tensor
    action: Tensor
    dynamics: Tensor
    beta: float

    @property
    def total(self) -> Tensor:
        """Return [B, F]: what inference and learning minimise."""
        return self.of_slots.sum(-1)

    @property
    def of_slots(self) -> Tensor:
        """Return [B, F, K]: each slot's share of the total."""
        return (self.beta * self.reconstruction + self.action + self.dynamics
                - self.state_entropy - self.action_entropy)


@dataclass(frozen=True)
class Evaluation:
    """
    A window's free energy, and which way is down.

    loss: scalar with a graph to the window's beliefs and the model's parameters: the sum of the
    free energy over batch and frames. packed, action_packed: the tensors of the window inside
    that graph. gradient: [B, F, K, 4N], dL/d lambda. action_gradient: [B, F - 1, K, 4] or None.
    received: [B, F - 1, K, 2], the fields summed under the expected masks, px/frame^2, which is
    what action inference by a network is told (Appendix B.2).
    """

    free_energy: FreeEnergy
    loss: Tensor
    packed: Tensor
    action_packed: Tensor
    gradient: Tensor
    action_gradient: Tensor | None
    mixture: Mixture
    received: Tensor


class _Attached(torch.autograd.Function):
    """A scalar whose gradients are already known."""

    @staticmethod
    def forward(ctx, value, count, *tensors):
        ctx.save_for_backward(*tensors[count:])
        ctx.count = count
        return value.clone()

    @staticmethod
    def backward(ctx, grad):
        known = tuple(gradient * grad for gradient in ctx.saved_tensors)
        return (None, None, *known, *(None,) * ctx.count)


def attach(value: Tensor, inputs: list[Tensor], gradients: list[Tensor]) -> Tensor:
    """Return the scalar `value` such that its gradients with respect to inputs are as given."""
    return _Attached.apply(value, len(inputs), *inputs, *gradients)


def evaluate(model: Obai, window: Window, noise: Noise, temperature: float | None = None,
             learning: bool = False) -> Evaluation:
    """
    Evaluate the free energy at one sample of q(s), with gradients.

    temperature: of the Gumbel-softmax sample of the assignments under an action field (Appendix
    D); None takes the expected assignment instead. learning: keep the graph, and give `loss`
    gradients with respect to the decoder too.

    The decoder is run once and differentiated once: what the images contribute is known in
    closed form down to the decoder's output (see `likelihood`), so one vector-Jacobian product
    yields the gradient that refinement reads *and* the one that learning needs. The decoder is
    reached from the loss of its own iteration only, as refinement reads gradients and images
    detached. So are the masks under which a new frame's action is expected, and q(a) of the past:
    but for these, backpropagation through all iterations is exact.

    Whatever the autocast outside, all but the networks is computed in float32 or better.
    """
    config = model.config
    with torch.enable_grad(), torch.autocast(window.packed.device.type, enabled=False):
        packed = window.packed if learning else window.packed.detach().requires_grad_()
        action_packed = window.action_packed
        # Where q(a) is new, nothing that is learned has touched it yet.
        if config.action_inference == 'network' and not (
                learning and action_packed.requires_grad):
            action_packed = action_packed.detach().requires_grad_()
        belief = Belief.unpack(packed)
        epsilon = noise.normal(*belief.mean.shape, dtype=belief.mean.dtype)
        sample = belief.mean + belief.log_sd.exp() * epsilon

        leaf = sample.detach().requires_grad_()
        output = model.decode(leaf)
        seen = mixture(output.detach(), window.images, config.sigma_o)
        received, sampled, action, pulls = _actions(model, window, belief, action_packed, seen,
                                                    noise, temperature)
        down = config.beta * seen.output_gradient()
        for frame, (index, pull) in enumerate(pulls):
            down[:, frame, :, 3].scatter_add_(-1, index, pull)

        reconstruction = seen.shares()
        inputs = [sample, *model.decoder.parameters()] if learning else [sample]
        gradients = torch.autograd.grad(
            output, [leaf, *inputs[1:]], grad_outputs=down)
        loss = attach(config.beta * reconstruction.sum(), inputs, list(gradients))

        terms = _latent_terms(model, window, belief, action, sampled)
        terms['reconstruction'] = reconstruction
        loss = (loss + terms['action'].sum() + terms['dynamics'].sum()
                - terms['state_entropy'].sum() - terms['action_entropy'].sum())

        sought = [packed]
        if config.action_inference == 'network' and window.frames > 1:
            sought.append(action_packed)
        found = torch.autograd.grad(loss, sought, retain_graph=learning)
    if config.action_inference == 'closed_form':
        action_packed = torch.cat([action.mean, action.log_sd], -1).detach()
    return Evaluation(
        free_energy=FreeEnergy(beta=config.beta,
                               **{name: term.detach() for name, term in terms.items()}),
        loss=loss if learning else loss.detach(), packed=packed, action_packed=action_packed,
        gradient=found[0], action_gradient=found[1] if len(found) > 1 else None, mixture=seen,
        received=received)


def _actions(model: Obai, window: Window, belief: Belief, action_packed: Tensor, seen: Mixture,
             noise: Noise, temperature: float | None
             ) -> tuple[Tensor, Tensor, ActionBelief, list[tuple[Tensor, Tensor]]]:
    """
    Return what slots receive in expectation and by this sample, [B, F - 1, K, 2] each, q(a) of
    the window's fields, and for each field where its points are and the action term's gradient
    with respect to the mask logits there, [B, K, P] each.

    In closed form, q(a) is the optimum for the present beliefs and this sample; the gradient
    through an optimum vanishes, so that it counts as a constant.
    """
    config = model.config
    received, sampled, logits = [], [], []
    for frame, field in enumerate(window.fields):
        logit = mask_at_points(seen.log_mask[:, frame, :, 0], field).requires_grad_()
        log_mask = torch.log_softmax(logit, -2)
        acceleration = field.acceleration.to(log_mask.dtype)
        expected = drawn = expected_action(log_mask.exp(), acceleration)
        if temperature is not None:
            gumbel = noise.gumbel(*log_mask.shape, dtype=log_mask.dtype)
            drawn = expected_action(sampled_mask(log_mask, gumbel, temperature), acceleration)
        logits.append(logit)
        received.append(expected.detach())
        sampled.append(drawn)
    if not sampled:
        nothing = belief.mean.new_zeros(window.batch, 0, config.num_slots, 2)
        return nothing, nothing, ActionBelief(nothing, nothing), []
    stacked = torch.stack(sampled, 1)
    if config.action_inference == 'network':
        action = ActionBelief(*action_packed.chunk(2, -1))
    else:
        with torch.no_grad():
            action = posterior(stacked, belief[:, :-1], belief[:, 1:], model.dynamics.D,
                               config.sigma_psi, config.sigma_s)
    fixed = ActionBelief(action.mean.detach(), action.log_sd.detach())
    term = action_term(fixed, stacked, config.sigma_psi).sum()
    places = [point_index(field, config.num_slots) for field in window.fields]
    pulls = list(zip(places, torch.autograd.grad(term, logits)))
    return torch.stack(received, 1), stacked.detach(), action, pulls


def _latent_terms(model: Obai, window: Window, belief: Belief, action: ActionBelief,
                  sampled: Tensor) -> dict[str, Tensor]:
    """Return the terms that need no decoder, each [B, F, K] with a graph to the beliefs."""
    config, dynamics = model.config, model.dynamics
    first = belief[:, 0]
    if window.past is None:
        start = prior_term(first)
    else:
        start = dynamics.transition_term(first, window.past.belief, window.past.action)
    start = start[:, None]  # [B, 1, K]
    nothing = torch.zeros_like(start)
    if window.frames == 1:
        return {'state_entropy': belief.entropy(), 'dynamics': start,
                'action': nothing, 'action_entropy': nothing}
    follow = dynamics.transition_term(belief[:, 1:], belief[:, :-1], action)
    explained = action_term(action, sampled, config.sigma_psi)
    return {'state_entropy': belief.entropy(),
            'dynamics': torch.cat([start, follow], 1),
            'action': torch.cat([nothing, explained], 1),
            'action_entropy': torch.cat([nothing, action.entropy()], 1)}
