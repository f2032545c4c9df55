# SPDX-License-Identifier: Apache-2.0
"""
One refinement of a window written out, without autograd: what a fast engine runs.

`free_energy.evaluate` and `refinement.refine` are the reference, which is read, trained and
trusted; this says the same for networks of glimpses with every gradient by hand, as one function
from tensors to tensors that a compiler can take whole. The tests hold it against the reference.

Images are kept in rows here, [H, C, W], the channels of a row side by side: that is how the
products that draw them leave them (see `decoding`), and how those that look at them take them.
"""
from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from obai_ros.model.belief import ActionBelief, Belief, bounded
from obai_ros.model.engines.decoding import Decoding
from obai_ros.model.engines.looking import Looking
from obai_ros.model.obai import Obai
from obai_ros.model.object_action import action_term, expected_action, precision


class Refining(nn.Module):
    """
    Refines all slots and frames of a window once.

    It holds copies of a model's weights, those of convolutions in the precision they run at: a
    model that learns on afterwards is not followed. Raises ValueError for networks it does not
    know (`supports` asks first).
    """

    def __init__(self, model: Obai):
        super().__init__()
        if not supports(model):
            raise ValueError(
                f'the written-out refinement knows networks of glimpses and actions in closed '
                f'form, not the preset {model.config.preset!r}: use the reference engine')
        self.config = config = model.config
        self.half = torch.bfloat16 if model.precision == 'bfloat16' else model.dtype
        self.decoding = Decoding(model.decoder, self.half)
        self.looking = Looking(model.refiner.trunk, model.xy, self.half)

        def keep(name: str, value: Tensor) -> None:
            self.register_buffer(name, value.detach().clone(), persistent=False)

        lstm = model.refiner.lstm
        keep('lstm_weight', torch.cat([lstm.weight_ih, lstm.weight_hh], 1))
        keep('lstm_bias', lstm.bias_ih + lstm.bias_hh)
        keep('change_weight', model.refiner.out.weight)
        keep('change_bias', model.refiner.out.bias)
        keep('D', model.dynamics.D)
        # q(a) is linear in what it depends on, see `object_action.posterior`.
        certainty = precision(model.dynamics.D, config.sigma_psi, config.sigma_s)
        keep('action_covariance', torch.linalg.inv(certainty))
        keep('action_log_sd', -0.5 * certainty.diagonal().log())

    def forward(self, images: Tensor, packed: Tensor, hidden: Tensor, cell: Tensor,
                epsilon: Tensor, known: Tensor, past: Tensor, past_action: Tensor, index: Tensor,
                acceleration: Tensor) -> tuple[Tensor, ...]:
        """
        Return (packed, hidden, cell, action_packed, mask, energy) after one refinement.

        images: [B, F, H, 3, W]. packed: [B, F, K, 4N]. hidden, cell: [B, F, K, hidden].
        epsilon: [B, F, K, N], the sample of q(s) in units of its sd. known: [] bool, whether the
        window has a past; past: [B, K, 4N], past_action: [B, K, 4]: it, or anything finite.
        index: [B, F - 1, P] int64, pixels in 0..M-1; acceleration: [B, F - 1, P, 2], px/frame^2:
        the fields, filled up with zero accelerations.
        mask: [B, K, M] of the newest frame. energy: [B, K], its free energy by slot, nats.
        Both are those before the refinement, as in the reference.
        """
        gradient, energy, action, seen = self._look(images, packed, epsilon, known, past,
                                                    past_action, index, acceleration)
        change, hidden, cell = self._propose(images, seen, packed, gradient, hidden, cell)
        return bounded(packed + change), hidden, cell, action, _newest(seen), energy

    def slope(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """
        Return what `descent.Slope` does.

        inputs: those of `forward`, but for hidden and cell.
        """
        gradient, energy, action, seen = self._look(*inputs)
        return gradient, energy, action, _newest(seen)

    def _look(self, images: Tensor, packed: Tensor, epsilon: Tensor, known: Tensor, past: Tensor,
              past_action: Tensor, index: Tensor, acceleration: Tensor
              ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Return the free energy's gradient [B, F, K, 4N], it, q(a) packed, and the mixture."""
        belief, beta = Belief.unpack(packed), self.config.beta
        sd = belief.log_sd.exp()
        sample = belief.mean + sd * epsilon
        output, trace = self.decoding(sample.flatten(0, 2))
        output = output.unflatten(0, packed.shape[:3])
        action, received, towards = self._act(output, belief, index, acceleration)
        seen = _compare(output, images, self.config.sigma_o)
        down = torch.stack([
            *((beta * gradient * colour * (1.0 - colour)).to(self.half)
              for gradient, colour in zip(seen['colour_gradient'], seen['colour'])),
            (beta * seen['logit_gradient'] + towards).to(self.half)], -2)
        pulled = self.decoding.pull_back(down.flatten(0, 2), trace).view_as(sample)
        energy, gradient = self._weigh(belief, action, received, known, past, past_action)
        gradient = gradient + torch.cat(
            [pulled, torch.zeros_like(pulled), pulled * epsilon * sd, torch.zeros_like(pulled)],
            -1)
        newest = (seen['responsibility'] * seen['likelihood'].unsqueeze(2))[:, -1].sum((-1, -2))
        energy = energy - beta * newest
        return gradient, energy, torch.cat([action.mean, action.log_sd], -1), seen

    # --- gradients in closed form -----------------------------------------------------------

    def _act(self, output: Tensor, belief: Belief, index: Tensor, acceleration: Tensor
             ) -> tuple[ActionBelief, Tensor, Tensor]:
        """
        Return q(a) of the fields, what slots received, and how the action term pulls at the mask
        logits of the fields' points (Appendix D), [B, F, K, H, W].
        """
        config, lead, width = self.config, output.shape[:3], output.shape[-1]
        points = index[:, :, None].expand(-1, -1, lead[2], -1)
        # The mask logit is the last of the 4 channels of a row.
        at = points // width * 4 * width + 3 * width + points % width
        mask = output[:, :-1].flatten(3).gather(-1, at).softmax(2)         # [B, F - 1, K, P]
        received = expected_action(mask, acceleration)
        gained = belief.velocity[:, 1:] - belief.velocity[:, :-1]
        mean = _times(received / config.sigma_psi ** 2
                      + _times(gained, self.D.T) / config.sigma_s ** 2, self.action_covariance)
        # An empty view of a constant would make torch 2.13 pack compiled code's weights wrongly.
        log_sd = self.action_log_sd.expand_as(mean) if mean.numel() else mean
        action = ActionBelief(mean, log_sd)
        # d/d received of the action term, then through received = mask @ acceleration and the
        # softmax over slots.
        towards = (received - action.mean) / config.sigma_psi ** 2 @ acceleration.mT
        gradient = mask * (towards - (mask * towards).sum(2, keepdim=True))
        nothing = output.new_zeros(*lead, config.image_size * width)
        pulled = torch.cat([nothing[:, 1:].scatter_add(-1, points, gradient), nothing[:, :1]], 1)
        return action, received, pulled.view(*lead, -1, width)

    def _weigh(self, belief: Belief, action: ActionBelief, received: Tensor, known: Tensor,
               past: Tensor, past_action: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return the latent terms of the newest frame's free energy, [B, K], and the gradient
        [B, F, K, 4N] of those of all frames: entropy, dynamics (eq. 5-6), actions.
        """
        config, sigma = self.config, self.config.sigma_s
        first, variance, spread = belief[:, 0], belief.variance, belief.velocity_variance
        before, cause = Belief.unpack(past), ActionBelief(*past_action.chunk(2, -1))
        # All frames with the frame before each; that of the first is in the past.
        earlier = Belief.unpack(torch.cat([before.pack()[:, None], belief[:, :-1].pack()], 1))
        causes = ActionBelief(torch.cat([cause.mean[:, None], action.mean], 1),
                              torch.cat([cause.log_sd[:, None], action.log_sd], 1))
        pull = 1.0 / sigma ** 2
        accelerated = belief.velocity - earlier.velocity - _times(causes.mean, self.D)
        moved = belief.mean - earlier.mean - belief.velocity
        scatter = _times(causes.variance, self.D.square())
        transition = 0.5 * pull * (
            accelerated.square() + moved.square() + 2.0 * spread + earlier.velocity_variance
            + scatter + variance + earlier.variance).sum(-1) + (
            2 * config.latent_size * (math.log(sigma) + 0.5 * math.log(2 * math.pi)))
        prior = 0.5 * (first.mean.square() + first.velocity.square() + variance[:, 0]
                       + spread[:, 0]).sum(-1) + config.latent_size * math.log(2 * math.pi)
        dynamics = torch.cat([torch.where(known, transition[:, :1], prior[:, None]),
                              transition[:, 1:]], 1)

        def begun(of_transition: Tensor, of_prior: Tensor) -> Tensor:
            """Without a past the first frame has the prior's gradient instead."""
            return torch.cat([torch.where(known, of_transition[:, :1], of_prior[:, None]),
                              of_transition[:, 1:]], 1)

        def left(value: Tensor) -> Tensor:
            """What a frame's transition says to the frame before it."""
            return torch.cat([value[:, 1:], torch.zeros_like(value[:, :1])], 1)

        inner = torch.ones_like(variance[:, :-1])
        followed = torch.cat([inner, torch.zeros_like(variance[:, :1])], 1) * pull
        gradient = torch.cat([
            begun(pull * moved, first.mean) - pull * left(moved),
            begun(pull * (accelerated - moved), first.velocity) - pull * left(accelerated),
            begun(pull * variance, variance[:, 0]) + followed * variance - 1.0,
            begun(2.0 * pull * spread, spread[:, 0]) + followed * spread - 1.0], -1)
        energy = dynamics[:, -1] - belief[:, -1].entropy()
        if received.shape[1]:
            newest = action[:, -1]
            energy = energy + action_term(newest, received[:, -1], config.sigma_psi) \
                - newest.entropy()
        return energy, gradient

    # --- the refinement network (cf. `refiner.StateRefiner`) --------------------------------

    def _propose(self, images: Tensor, seen: dict[str, Tensor], packed: Tensor, gradient: Tensor,
                 hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the change of lambda and the LSTM's new state, in the shape of the window."""
        lead, beta = packed.shape[:3], self.config.beta
        # Log masks reach -30 and beyond, and are scaled to the size of the other inputs.
        own = torch.stack([plane.to(self.half) for plane in (
            *seen['colour'], seen['mask'], seen['log_mask'].clamp(min=-20.0) / 5.0,
            *_normalised(seen['colour_gradient'], beta),
            *_normalised((seen['logit_gradient'],), beta), seen['responsibility'])], -2)
        likelihood = seen['likelihood']
        likelihood = F.layer_norm(likelihood, likelihood.shape[-2:]).unsqueeze(-2)
        x = self.looking(own.flatten(0, 2), likelihood.flatten(0, 1), images.flatten(0, 1),
                         packed.flatten(0, 2))
        x = torch.cat([x.to(packed.dtype), packed.flatten(0, 2),
                       F.layer_norm(gradient, gradient.shape[-1:]).flatten(0, 2),
                       hidden.flatten(0, 2)], -1)
        gates = F.linear(x, self.lstm_weight, self.lstm_bias)
        enter, forget, value, leave = gates.chunk(4, -1)
        cell = torch.sigmoid(forget) * cell.flatten(0, 2) + torch.sigmoid(enter) * value.tanh()
        hidden = torch.sigmoid(leave) * cell.tanh()
        change = F.linear(hidden, self.change_weight, self.change_bias)
        return tuple(part.view(*lead, -1) for part in (change, hidden, cell))


def supports(model: Obai) -> bool:
    """Tell whether a model's networks are those that are written out here."""
    config = model.config
    return (config.decoder, config.trunk, config.action_inference) == (
        'glimpse', 'glimpse', 'closed_form')


def _newest(seen: dict[str, Tensor]) -> Tensor:
    """Return the newest frame's masks, [B, K, M]."""
    return seen['mask'][:, -1].flatten(2)


def _normalised(planes: tuple[Tensor, ...], factor: float) -> list[Tensor]:
    """Return what layer normalisation makes of planes [B, F, K, H, W] together, times a factor."""
    mean, square = (sum(part) / len(planes) for part in zip(*(
        (plane.mean((-2, -1), keepdim=True), plane.square().mean((-2, -1), keepdim=True))
        for plane in planes)))
    # By rounding the difference may be less than nothing where planes hardly vary.
    variance = (square - mean.square()).clamp(min=0.0)
    gain = factor * (factor ** 2 * variance + 1e-5).rsqrt()
    return [(plane - mean) * gain for plane in planes]


def _softmax(logit: Tensor) -> tuple[Tensor, Tensor]:
    """Return the softmax over slots [B, F, K, H, W], and the logarithm of its denominator."""
    largest = logit.amax(2, keepdim=True)
    share = (logit - largest).exp()
    total = share.sum(2, keepdim=True)
    return share / total, largest + total.log()


def _times(value: Tensor, matrix: Tensor) -> Tensor:
    """Return [..., P]: matrix [P, Q] times values [..., Q], too small for a call of its own."""
    return (value.unsqueeze(-2) * matrix).sum(-1)


def _compare(output: Tensor, image: Tensor, sigma_o: float) -> dict[str, Tensor]:
    """
    Return the fields of `likelihood.Mixture`, plane by plane, for a compiler to fuse.

    output: [B, F, K, H, 4, W]. image: [B, F, H, 3, W]. Returned are planes [B, F, K, H, W], those
    of colours in tuples of three, but for the likelihood's, [B, F, H, W].
    """
    *colour, logit = output.unbind(-2)
    colour = tuple(channel.sigmoid() for channel in colour)
    error = [channel.unsqueeze(2) - drawn for channel, drawn in zip(image.unbind(-2), colour)]
    precision = 1.0 / sigma_o ** 2
    joint = logit - 0.5 * precision * sum(channel.square() for channel in error)
    mask, total = _softmax(logit)
    responsibility, evidence = _softmax(joint)
    return {'colour': colour, 'mask': mask, 'log_mask': logit - total,
            'responsibility': responsibility,
            'likelihood': (evidence - total).squeeze(2) - 3.0 * (
                math.log(sigma_o) + 0.5 * math.log(2 * math.pi)),
            'colour_gradient': tuple(-precision * responsibility * channel for channel in error),
            'logit_gradient': mask - responsibility}
