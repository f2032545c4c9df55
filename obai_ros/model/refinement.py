# SPDX-License-Identifier: Apache-2.0
"""
One refinement of a window written out, without autograd: what a fast engine runs.

`free_energy.evaluate` and `inference.refine` are the reference, which is read, trained and
trusted; this says the same for the `fast` networks with every gradient by hand, as one function
from tensors to tensors that a compiler can take whole. The tests hold it against the reference.

Pixels are kept cell by cell here, [G * G, C, R] with the R = r * r px of a cell side by side:
that is how a convolution over the grid of cells leaves its channels in memory ('channels last'),
so that nothing has to be moved between convolutions and what happens pixel by pixel.
"""
from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from obai_ros.model.belief import ActionBelief, Belief, bounded
from obai_ros.model.object_action import action_term, expected_action, precision
from obai_ros.model.obai import Obai
from obai_ros.model.pixels import to_cells
from obai_ros.model.refiner import IMAGE_INPUTS


class Refinement(nn.Module):
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
                f'the written-out refinement knows subpixel decoders, patch trunks and actions in '
                f'closed form, not the preset {model.config.preset!r}: use the reference engine')
        self.config = config = model.config
        self.half = torch.bfloat16 if model.precision == 'bfloat16' else model.dtype
        decoder, trunk = model.decoder, model.refiner.trunk

        def keep(name: str, value: Tensor, dtype=None) -> None:
            value = value.detach().to(dtype or value.dtype).clone()
            if value.ndim == 4:
                value = value.contiguous(memory_format=torch.channels_last)
            self.register_buffer(name, value, persistent=False)

        for name, layer in _convolutions(decoder, trunk):
            keep(f'{name}_weight', layer.weight, self.half)
            keep(f'{name}_bias', layer.bias, self.half)
        keep('position', decoder.position(decoder.grid[None]), self.half)
        keep('state_weight', decoder.state.weight, self.half)
        keep('state_bias', decoder.state.bias, self.half)
        keep('features_weight', trunk.linear.weight, self.half)
        keep('features_bias', trunk.linear.bias, self.half)
        for name in ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'):
            keep(f'lstm_{name}', getattr(model.refiner.lstm, name))
        keep('change_weight', model.refiner.out.weight)
        keep('change_bias', model.refiner.out.bias)
        keep('D', model.dynamics.D)
        # q(a) is linear in what it depends on, see `object_action.posterior`.
        certainty = precision(model.dynamics.D, config.sigma_psi, config.sigma_s)
        keep('action_covariance', torch.linalg.inv(certainty))
        keep('action_log_sd', -0.5 * certainty.diagonal().log())
        keep('xy', to_cells(model.xy, config.subpixel), self.half)

    def forward(self, images: Tensor, packed: Tensor, hidden: Tensor, cell: Tensor,
                epsilon: Tensor, known: Tensor, past: Tensor, past_action: Tensor, index: Tensor,
                acceleration: Tensor) -> tuple[Tensor, ...]:
        """
        Return (packed, hidden, cell, action_packed, mask, energy) after one refinement.

        images: [B, F, G * G, 3, R]. packed: [B, F, K, 4N]. hidden, cell: [B, F, K, hidden].
        epsilon: [B, F, K, N], the sample of q(s) in units of its sd. known: [] bool, whether the
        window has a past; past: [B, K, 4N], past_action: [B, K, 4]: it, or anything finite.
        index: [B, F - 1, P] int64, pixels cell by cell; acceleration: [B, F - 1, P, 2],
        px/frame^2: the fields, filled up with zero accelerations.
        mask: [B, K, G * G, R] of the newest frame. energy: [B, K], its free energy by slot, nats.
        Both are those before the refinement, as in the reference.
        """
        gradient, energy, action, seen = self._look(images, packed, epsilon, known, past,
                                                    past_action, index, acceleration)
        change, hidden, cell = self._propose(images, seen, packed, gradient, hidden, cell)
        return (bounded(packed + change), hidden, cell, action, seen['mask'][:, -1, :, :, 0],
                energy)

    def slope(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """
        Return what `descent.Slope` does, masks cell by cell.

        inputs: those of `forward`, but for hidden and cell.
        """
        gradient, energy, action, seen = self._look(*inputs)
        return gradient, energy, action, seen['mask'][:, -1, :, :, 0]

    def _look(self, images: Tensor, packed: Tensor, epsilon: Tensor, known: Tensor, past: Tensor,
              past_action: Tensor, index: Tensor, acceleration: Tensor
              ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Return the free energy's gradient [B, F, K, 4N], it, q(a) packed, and the mixture."""
        belief = Belief.unpack(packed)
        sd = belief.log_sd.exp()
        sample = belief.mean + sd * epsilon
        output, activations = self._decode(sample.flatten(0, 2))
        seen = _compare(output.view(*packed.shape[:3], *output.shape[1:]), images,
                        self.config.sigma_o)
        down, action, received = self._act(seen, belief, index, acceleration)
        pulled = self._pull_back(down.flatten(0, 2), activations).view_as(sample)
        energy, gradient = self._weigh(belief, action, received, known, past, past_action)
        gradient = gradient + torch.cat(
            [pulled, torch.zeros_like(pulled), pulled * epsilon * sd, torch.zeros_like(pulled)],
            -1)
        newest = (seen['responsibility'] * seen['likelihood'])[:, -1].sum((-1, -2, -3))
        energy = energy - self.config.beta * newest
        return gradient, energy, torch.cat([action.mean, action.log_sd], -1), seen

    # --- decoder, forward and backward (cf. `decoder.SubpixelDecoder`) ---------------------

    def _decode(self, sample: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Turn [S, N] into [S, G * G, 4, R] float32, and what the way back needs."""
        state = F.linear(sample.to(self.half), self.state_weight, self.state_bias)
        x = F.elu(state[:, :, None, None] + self.position)
        activations = [x.contiguous(memory_format=torch.channels_last)]
        x = F.elu(F.conv2d(activations[-1], self.mix_weight, self.mix_bias))
        activations.append(x)
        for weight, bias in ((self.first_weight, self.first_bias),
                             (self.second_weight, self.second_bias)):
            x = F.elu(F.conv2d(x, weight, bias, padding=1))
            activations.append(x)
        output = F.conv2d(x, self.out_weight, self.out_bias, padding=1)
        return output.permute(0, 2, 3, 1).reshape(
            len(sample), self.config.grid_size ** 2, 4, -1).to(sample.dtype), activations

    def _pull_back(self, down: Tensor, activations: list[Tensor]) -> Tensor:
        """Turn gradients [S, G * G, 4, R] of the output into those of the states, [S, N]."""
        size = self.config.grid_size
        x = down.to(self.half).reshape(len(down), size, size, -1).permute(0, 3, 1, 2)
        for weight, after in ((self.out_weight, activations[3]),
                              (self.second_weight, activations[2]),
                              (self.first_weight, activations[1])):
            x = F.conv_transpose2d(x, weight, padding=1) * _elu_slope(after)
        x = F.conv_transpose2d(x, self.mix_weight) * _elu_slope(activations[0])
        return (x.sum((-1, -2), dtype=down.dtype).to(self.half) @ self.state_weight).to(down.dtype)

    # --- gradients in closed form -----------------------------------------------------------

    def _act(self, seen: dict[str, Tensor], belief: Belief, index: Tensor, acceleration: Tensor
             ) -> tuple[Tensor, ActionBelief, Tensor]:
        """
        Return dL/d(decoder output), [B, F, K, G * G, 4, R], q(a) of the fields, and what slots
        received.

        The action term pulls at the mask logits of the fields' points (Appendix D).
        """
        config = self.config
        down = config.beta * torch.cat(
            [seen['colour_gradient'] * seen['colour'] * (1.0 - seen['colour']),
             seen['logit_gradient']], -2)
        slots, pixels = seen['mask'].shape[2], seen['mask'].shape[-1]
        points = index[:, :, None].expand(-1, -1, slots, -1)
        mask = seen['mask'][:, :-1].flatten(3).gather(-1, points)  # [B, F - 1, K, P]
        received = expected_action(mask, acceleration)
        gained = belief.velocity[:, 1:] - belief.velocity[:, :-1]
        mean = (received / config.sigma_psi ** 2
                + gained @ self.D / config.sigma_s ** 2) @ self.action_covariance
        # An empty view of a constant would make torch 2.13 pack compiled code's weights wrongly.
        log_sd = self.action_log_sd.expand_as(mean) if mean.numel() else mean
        action = ActionBelief(mean, log_sd)
        # d/d received of the action term, then through received = mask @ acceleration and the
        # softmax over slots.
        towards = (received - action.mean) / config.sigma_psi ** 2 @ acceleration.mT
        gradient = mask * (towards - (mask * towards).sum(2, keepdim=True))
        # The mask logit is the last of 4 channels: where a pixel's is among a slot's outputs.
        at = points // pixels * 4 * pixels + 3 * pixels + points % pixels
        pulled = down[:, :-1].flatten(3).scatter_add(-1, at, gradient)
        return torch.cat([pulled.view_as(down[:, :-1]), down[:, -1:]], 1), action, received

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
        accelerated = belief.velocity - earlier.velocity - causes.mean @ self.D.t()
        moved = belief.mean - earlier.mean - belief.velocity
        scatter = causes.variance @ self.D.t().square()
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
        lead, beta, half = packed.shape[:3], self.config.beta, self.half
        size = self.config.grid_size
        cells, _, pixels = images.shape[-3:]

        def wide(value: Tensor) -> Tensor:
            """Give each slot a copy, in the precision of convolutions."""
            return value.to(half).expand(*lead, cells, -1, pixels)

        def normal(value: Tensor) -> Tensor:
            return F.layer_norm(value, value.shape[-3:])

        inputs = torch.cat([
            wide(images.unsqueeze(2)), wide(seen['colour']), wide(seen['mask']),
            wide(seen['log_mask'].clamp(min=-20.0) / 5.0),
            wide(normal(beta * seen['colour_gradient'])),
            wide(normal(beta * seen['logit_gradient'])), wide(seen['responsibility']),
            wide(normal(seen['likelihood'])), wide(self.xy)], -2)
        x = inputs.view(-1, size, size, IMAGE_INPUTS * pixels).permute(0, 3, 1, 2)
        x = F.elu(F.conv2d(x, self.patch_weight, self.patch_bias))
        for weight, bias in ((self.third_weight, self.third_bias),
                             (self.fourth_weight, self.fourth_bias)):
            x = F.elu(F.conv2d(x, weight, bias, stride=2, padding=1))
        x = F.elu(F.linear(x.flatten(1), self.features_weight, self.features_bias))
        x = torch.cat([x.to(packed.dtype), packed.flatten(0, 2),
                       F.layer_norm(gradient, gradient.shape[-1:]).flatten(0, 2)], -1)
        gates = (F.linear(x, self.lstm_weight_ih, self.lstm_bias_ih)
                 + F.linear(hidden.flatten(0, 2), self.lstm_weight_hh, self.lstm_bias_hh))
        enter, forget, value, leave = gates.chunk(4, -1)
        cell = torch.sigmoid(forget) * cell.flatten(0, 2) + torch.sigmoid(enter) * value.tanh()
        hidden = torch.sigmoid(leave) * cell.tanh()
        change = F.linear(hidden, self.change_weight, self.change_bias)
        return tuple(part.view(*lead, -1) for part in (change, hidden, cell))


def supports(model: Obai) -> bool:
    """Tell whether a model's networks are those that are written out here."""
    config = model.config
    return (config.decoder, config.trunk, config.action_inference) == (
        'subpixel', 'patch', 'closed_form')


def _convolutions(decoder: nn.Module, trunk: nn.Module) -> list[tuple[str, nn.Module]]:
    return [('mix', decoder.mix), ('first', decoder.layers[0]), ('second', decoder.layers[1]),
            ('out', decoder.out), ('patch', trunk.patch), ('third', trunk.layers[0]),
            ('fourth', trunk.layers[1])]


def _elu_slope(after: Tensor) -> Tensor:
    """Return the derivative of ELU where it has the value `after`."""
    return after.clamp(max=0.0) + 1.0


def _compare(output: Tensor, image: Tensor, sigma_o: float) -> dict[str, Tensor]:
    """
    Return the fields of `likelihood.Mixture`, computed for a compiler to fuse.

    output: [B, F, K, G * G, 4, R]. image: [B, F, G * G, 3, R].
    """
    colour = torch.sigmoid(output[..., :3, :])
    logit = output[..., 3:, :]
    log_mask = logit - torch.logsumexp(logit, 2, keepdim=True)
    error = image.unsqueeze(2) - colour
    precision = 1.0 / sigma_o ** 2
    log_joint = log_mask - 0.5 * precision * error.square().sum(-2, keepdim=True)
    evidence = torch.logsumexp(log_joint, 2, keepdim=True)
    responsibility = (log_joint - evidence).exp()
    mask = log_mask.exp()
    return {'colour': colour, 'mask': mask, 'log_mask': log_mask,
            'responsibility': responsibility,
            'likelihood': evidence - 3.0 * (math.log(sigma_o) + 0.5 * math.log(2 * math.pi)),
            'colour_gradient': -precision * responsibility * error,
            'logit_gradient': mask - responsibility}
