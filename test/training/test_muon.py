# SPDX-License-Identifier: Apache-2.0
"""Muon: orthogonal steps of matrices, Adam for the rest."""
import pytest
import torch
from torch import nn

from obai_ros.training.muon import Muon, orthogonalised


@pytest.mark.parametrize('shape', [(3, 20, 33), (1, 48, 12)])
def test_singular_values_come_near_one_and_vectors_stay(shape):
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(shape, generator=generator, dtype=torch.float64)
    flat = orthogonalised(matrices, iterations=8)
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    values = torch.linalg.svdvals(flat)
    assert 0.6 < values.min() and values.max() < 1.25
    inner = u.mT @ flat @ vh.mT  # diagonal, if the vectors are the same
    assert torch.allclose(inner, torch.diag_embed(inner.diagonal(dim1=1, dim2=2)), atol=1e-8)


class Parts(nn.Module):
    """One of each kind of parameter."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 16, 3)
        self.lstm = nn.LSTMCell(12, 8)
        self.narrow = nn.Linear(2, 30)
        self.D = nn.Parameter(torch.ones(16, 10))


@pytest.fixture
def parts():
    torch.manual_seed(0)
    module = Parts()
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)
    return module


def change(parts, name, rate=0.01):
    before = {each: value.detach().clone() for each, value in parts.named_parameters()}
    Muon(parts.named_parameters(), rate).step()
    return (before[name] - dict(parts.named_parameters())[name].detach()) / rate


def test_convolutions_step_orthogonally_at_the_size_of_adam(parts):
    step = change(parts, 'conv.weight').flatten(1)
    values = torch.linalg.svdvals(step) / (0.2 * 72 ** 0.5)
    assert 0.5 < values.min() and values.max() < 1.3
    assert step.square().mean().sqrt() == pytest.approx(0.2, rel=0.2)


def test_each_gate_of_an_lstm_is_a_matrix_of_its_own(parts):
    parts.lstm.weight_ih.grad[:8] *= 1e-3  # one gate learns slowly; its step is as large
    step = change(parts, 'lstm.weight_ih').view(4, 8, 12)
    sizes = step.square().mean((1, 2)).sqrt()
    assert sizes.min() / sizes.max() > 0.8


@pytest.mark.parametrize('name', ['conv.bias', 'narrow.weight', 'D', 'lstm.bias_hh'])
def test_everything_else_steps_as_adam_does(parts, name):
    parameter = dict(parts.named_parameters())[name]
    twin = nn.Parameter(parameter.detach().clone())
    adam, muon = torch.optim.Adam([twin], 0.01), Muon([(name, parameter)], 0.01)
    for _ in range(3):
        parameter.grad = torch.randn_like(parameter)
        twin.grad = parameter.grad.clone()
        adam.step()
        muon.step()
    assert torch.allclose(parameter, twin, atol=1e-7)


def test_what_has_no_gradient_stays(parts):
    parts.conv.weight.grad = None
    before = parts.conv.weight.detach().clone()
    Muon(parts.named_parameters(), 0.01).step()
    assert torch.equal(parts.conv.weight.detach(), before)
