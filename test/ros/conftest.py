# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that need ROS 2: nodes as processes, in a domain of their own."""

import pytest

pytest.importorskip('rclpy', reason='these tests need ROS 2')
pytest.importorskip('obai_ros.msg', reason='these tests need the built messages: make setup')

from harness import Client, NodeProcess  # noqa: E402
from obai_ros.demo.domain import claim_domain  # noqa: E402


@pytest.fixture
def domain(monkeypatch):
    """Claim a ROS domain that nobody else uses; return its number."""
    with claim_domain() as claimed:
        monkeypatch.setenv('ROS_DOMAIN_ID', str(claimed.number))
        yield claimed.number


@pytest.fixture
def start_node(domain, tmp_path):
    """Return start(name, **parameters): a NodeProcess that does not outlive the test."""
    started = []

    def start(name, remappings={}, **parameters):
        node = NodeProcess(name, parameters, tmp_path / f'{len(started)}_{name}.log', remappings)
        started.append(node)
        return node

    yield start
    for node in started:
        node.kill()
        print(f'--- {node.name} (exit status {node.process.returncode}) wrote:\n{node.output()}')


@pytest.fixture
def client(domain):
    made = Client(domain)
    yield made
    made.close()


@pytest.fixture(scope='session')
def weights(tmp_path_factory):
    """Return the path of a tiny model with random weights: 32x32 px, 4 slots."""
    return _make_weights(tmp_path_factory.mktemp('weights') / 'smoke.safetensors', seed=0)


@pytest.fixture(scope='session')
def other_weights(tmp_path_factory):
    """Return the path of another tiny model."""
    return _make_weights(tmp_path_factory.mktemp('weights') / 'other.safetensors', seed=1)


def _make_weights(path, seed):
    import torch
    from obai_ros.model.checkpoint import save_checkpoint
    from obai_ros.model.config import ModelConfig
    from obai_ros.model.obai import Obai
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        save_checkpoint(path, Obai(ModelConfig.named('smoke')), {})
    return str(path)
