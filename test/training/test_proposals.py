# SPDX-License-Identifier: Apache-2.0
"""What to propose is learned from what a model finds by itself, and kept with its weights."""
import pytest
import torch

from obai_ros.environment.scene import SceneConfig
from obai_ros.model.checkpoint import default_checkpoint, load_checkpoint
from obai_ros.model.obai import Obai
from obai_ros.model.proposal import can_propose, features_of, propose
from obai_ros.training import bookkeeping
from obai_ros.training.proposals import learn_proposals
from obai_ros.training.run import Hardware, STATE, train
from obai_ros.training.state import load_state
from obai_ros.training.validation import validation_videos


@pytest.fixture(scope='module')
def trained():
    return load_checkpoint(default_checkpoint())


def test_a_trained_model_proposes_what_it_draws_where_it_was_asked_to(trained):
    """Decoded, the proposal for a patch is a thing of that colour at that place."""
    model = trained.model
    images = validation_videos(SceneConfig(), 32, 1, 0).images[:, 0]
    table = learn_proposals(model, images, trained.schedule)
    assert can_propose(model) and table.shape == model.proposal.shape
    before = model.proposal.clone()
    model.proposal.copy_(table)
    centre, colour = torch.tensor([[20.0, 40.0], [44.0, 24.0]]), torch.tensor([[1.0, 0.0, 0.0],
                                                                              [0.0, 0.75, 1.0]])
    proposed = propose(model, features_of(centre, torch.tensor([200.0, 200.0]), colour, 64))
    model.proposal.copy_(before)
    output = model.decode(proposed[:, :model.config.latent_size])
    logit = output[:, 3] - output[:, 3].mean(-1, keepdim=True)
    share = torch.softmax(2.0 * logit, -1)
    x, y = (model.xy.flatten(1) + 1.0) * 31.5 + 0.5
    middle = torch.stack([share @ x, share @ y], -1)
    assert (middle - centre).norm(dim=-1).max() < 6.0
    drawn = (torch.sigmoid(output[:, :3]) * share[:, None]).sum(-1)
    assert (drawn - colour).abs().max() < 0.35


def test_too_few_objects_teach_nothing(trained):
    plain = torch.full((2, 3, 64, 64), 0.5)
    assert learn_proposals(trained.model, plain, trained.schedule) is None


def test_a_run_keeps_its_table_with_its_weights_and_its_state(recipe, tmp_path, monkeypatch):
    model = Obai(recipe.model)
    table = torch.randn(model.proposal.shape, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(bookkeeping, 'learn_proposals', lambda *args: table)
    train(recipe, tmp_path, hardware=Hardware('cpu'), validate_every=100, say=lambda line: None)
    checkpoint = load_checkpoint(tmp_path / 'smoke.safetensors')
    assert torch.equal(checkpoint.model.proposal, table)
    state = load_state(tmp_path / STATE)
    assert torch.equal(state.model['proposal'], table)
    assert torch.equal(state.average['proposal'], table)
