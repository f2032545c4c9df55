# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that need ROS 2: nodes as processes, in a domain of their own."""

import importlib.util

from obai_ros.demo.domain import claim_domain
import pytest

if any(importlib.util.find_spec(module) is None for module in ('rclpy', 'obai_ros.msg')):
    collect_ignore_glob = ['test_*.py']  # no ROS 2 here, or messages not built: make setup


@pytest.fixture
def domain(monkeypatch):
    """Claim a ROS domain that nobody else uses; return its number."""
    with claim_domain() as claimed:
        monkeypatch.setenv('ROS_DOMAIN_ID', str(claimed.number))
        yield claimed.number


@pytest.fixture
def start_node(domain, tmp_path):
    """Return start(name, **parameters): a NodeProcess that does not outlive the test."""
    from harness import NodeProcess
    started = []

    def start(name, remappings={}, arguments=(), fresh=False, **parameters):
        log = tmp_path / f'{len(started)}_{name}.log'
        node = NodeProcess(name, parameters, log, remappings, arguments, fresh)
        started.append(node)
        return node

    yield start
    for node in started:
        node.kill()
        print(f'--- {node.name} (exit status {node.process.returncode}) wrote:\n{node.output()}')


@pytest.fixture
def client(domain):
    """Return a Client in the domain of the test."""
    from harness import Client
    made = Client(domain)
    yield made
    made.close()


@pytest.fixture(scope='session')
def weights(tmp_path_factory):
    """Return the path of a tiny model with random weights and goals: 32x32 px, 4 slots."""
    path = tmp_path_factory.mktemp('weights') / 'smoke.safetensors'
    model_id = _make_weights(path, seed=0)
    _make_goals(path.with_suffix('.goals.safetensors'), model_id)
    return str(path)


@pytest.fixture(scope='session')
def other_weights(tmp_path_factory):
    """Return the path of another tiny model, without goals."""
    path = tmp_path_factory.mktemp('weights') / 'other.safetensors'
    _make_weights(path, seed=1)
    return str(path)


def _make_weights(path, seed):
    import torch
    from obai_ros.model.checkpoint import save_checkpoint
    from obai_ros.model.config import ModelConfig
    from obai_ros.model.obai import Obai
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return save_checkpoint(path, Obai(ModelConfig.named('smoke')), {})


def _make_goals(path, model_id):
    """Write a bank as if the first latents were the position in px / 10."""
    import torch
    from obai_ros.planning.goal_bank import GoalBank
    count, latents, side = 2000, 8, 32
    generator = torch.Generator().manual_seed(0)
    position = side * torch.rand(count, 2, generator=generator)
    mean = .1 * torch.randn(count, latents, generator=generator)
    mean[:, :2] += position / 10
    GoalBank(
        position=position, shape=torch.zeros(count, dtype=torch.int64),
        colour=torch.rand(count, 3, generator=generator), size=torch.full((count,), 8.),
        orientation=torch.zeros(count), mean=mean, sd=torch.full((count, latents), .1),
        traits=torch.rand(count, 11, generator=generator), model_id=model_id,
        image_size=(side, side), shapes=('square',)).save(path)
