# SPDX-License-Identifier: Apache-2.0
"""
Muon: steps whose matrices are orthogonal, so that no direction of a weight matrix is left behind.

K. Jordan and others, "Muon: an optimizer for hidden layers in neural networks" (2024); the scale
that lets it share Adam's learning rate is from J. Liu and others, "Muon is scalable for LLM
training" (arXiv 2502.16982), section 2.2. torch.optim.Muon takes matrices only; here are also
convolutions, the four gates of an LSTM, and Adam for all that is no matrix, under one learning
rate and one state to save.
"""
from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_QUINTIC = 3.4445, -4.7750, 2.0315
_SMALLEST = 8  # a matrix with fewer rows or columns is left to Adam
_ADAM_SCALE = 0.2  # root mean square of Adam's usual steps, in learning rates


class Muon(torch.optim.Optimizer):
    """
    Muon for weight matrices and convolutions, Adam for everything else.

    named_parameters: (name, parameter); names ending in `weight`, `weight_ih` or `weight_hh` are
        weights of layers, of which the latter two hold an LSTM's four gates one above the other.
    lr: learning rate, of Adam's size. momentum: of the gradients of matrices.
    """

    def __init__(self, named_parameters: Iterable[tuple[str, nn.Parameter]], lr: float,
                 momentum: float = 0.95, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8):
        groups = [{'params': [parameter], 'blocks': _blocks(name, parameter)}
                  for name, parameter in named_parameters]
        super().__init__(groups, {'lr': lr, 'momentum': momentum, 'betas': betas, 'eps': eps})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameter, = group['params']
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            change = (_orthogonal_step if group['blocks'] else _adam_step)(
                parameter.grad, state, group)
            parameter.add_(change, alpha=-group['lr'])
        return loss


def _blocks(name: str, parameter: nn.Parameter) -> int:
    """Return how many matrices a parameter consists of, one above the other; 0: no matrix."""
    kind = name.rpartition('.')[2]
    if kind not in ('weight', 'weight_ih', 'weight_hh') or parameter.ndim < 2:
        return 0
    blocks = 1 if kind == 'weight' else 4
    rows, columns = len(parameter) // blocks, parameter[0].numel()
    return blocks if min(rows, columns) >= _SMALLEST else 0


def _orthogonal_step(gradient: Tensor, state: dict, group: dict) -> Tensor:
    if 'momentum' not in state:
        state['momentum'] = torch.zeros_like(gradient)
    momentum = state['momentum'].mul_(group['momentum']).add_(gradient)
    ahead = gradient.add(momentum, alpha=group['momentum'])  # Nesterov
    matrices = ahead.flatten(1).unflatten(0, (group['blocks'], -1))
    scale = _ADAM_SCALE * max(matrices.shape[1:]) ** 0.5
    return (scale * orthogonalised(matrices)).view_as(gradient)


def orthogonalised(matrices: Tensor, iterations: int = 5) -> Tensor:
    """
    Return matrices [n, r, c] with the same singular vectors and singular values near one.

    A Newton-Schulz iteration with coefficients that favour speed: singular values end between
    about 0.7 and 1.2.
    """
    a, b, c = _QUINTIC
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


def _adam_step(gradient: Tensor, state: dict, group: dict) -> Tensor:
    if 'exp_avg' not in state:
        state.update(exp_avg=torch.zeros_like(gradient), exp_avg_sq=torch.zeros_like(gradient),
                     step=torch.zeros(()))
    first, second = group['betas']
    state['step'] += 1
    count = float(state['step'])
    mean = state['exp_avg'].lerp_(gradient, 1 - first) / (1 - first ** count)
    square = state['exp_avg_sq'].lerp_(gradient.square(), 1 - second) / (1 - second ** count)
    return mean / (square.sqrt() + group['eps'])
