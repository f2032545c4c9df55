# SPDX-License-Identifier: Apache-2.0
"""The pretended GPU refuses what a GPU refuses, and computes what the CPU computes."""
import pytest
import torch

from pretence import GPU, pretended_gpu, WrongDevice


@pytest.fixture
def waits():
    with pretended_gpu() as counted:
        yield counted


def test_it_computes_and_learns_as_the_cpu_does(waits):
    torch.manual_seed(0)
    network, x = torch.nn.Linear(3, 2), torch.randn(4, 3)
    network(x).square().sum().backward()
    gradient = network.weight.grad
    network.zero_grad()
    network.to(GPU)(x.to(GPU)).square().sum().backward()
    assert network.weight.device == network.weight.grad.device == GPU
    assert torch.equal(network.weight.grad.cpu(), gradient)


@pytest.mark.parametrize('mistake', [
    lambda x: x + torch.ones(2),
    lambda x: torch.ones(2)[x.long()],
    lambda x: x.copy_(torch.randn(2, generator=torch.Generator(GPU))),
    lambda x: torch.randn(2, generator=torch.Generator(), device=GPU),
    lambda x: torch.cat([x, torch.ones(1)]),
    lambda x: x.index_put_((torch.zeros(1, dtype=torch.long),), torch.ones(1)),
    lambda x: x.numpy()])
def test_it_refuses_what_a_gpu_would(waits, mistake):
    with pytest.raises(WrongDevice):
        mistake(torch.zeros(2, device=GPU))


def test_what_a_gpu_allows_it_allows(waits):
    x = torch.zeros(2, device=GPU) + torch.tensor(1.0)
    x[torch.tensor([0])] = 2.0
    assert x.tolist() == [2.0, 1.0]
    assert torch.randn(2, generator=torch.Generator(GPU), device=GPU).device == GPU


@pytest.mark.parametrize('waiting', [
    lambda x: float(x.sum()), lambda x: x.tolist(), lambda x: x.cpu(), lambda x: x[x > 0],
    lambda x: x.nonzero(), lambda x: x.new_tensor([1.0]), lambda x: x[[0, 1]],
    lambda x: torch.tensor([1.0], device=GPU), lambda x: bool((x > 0).any()),
    lambda x: torch.equal(x, x)])
def test_it_counts_what_a_host_waits_for(waits, waiting, monkeypatch):
    monkeypatch.setattr('pretence._place', lambda: 'here')
    waiting(torch.zeros(2, device=GPU))
    assert sum(waits.values()) == 1


@pytest.mark.parametrize('going_on', [
    lambda x: x + 1.0, lambda x: x.sum(), lambda x: torch.zeros_like(x), lambda x: x[0],
    lambda x: torch.ones(2).to(GPU, non_blocking=True), lambda x: torch.where(x > 0, x, 0.0)])
def test_it_counts_nothing_else(waits, going_on, monkeypatch):
    monkeypatch.setattr('pretence._place', lambda: 'here')
    going_on(torch.zeros(2, device=GPU))
    assert not waits
