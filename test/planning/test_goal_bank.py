# SPDX-License-Identifier: Apache-2.0
"""Banks of a synthetic 'model' that encodes positions linearly, so that all moments are known."""
from dataclasses import replace

import numpy as np
import pytest
import torch

from obai_ros.planning import goal_bank
from obai_ros.planning.goal_bank import GoalBank, GoalBankError
from obai_ros.planning.preference import GoalError

SIZE, LATENT, NOISE, SD = 64, 6, 0.05, 0.1


def encode(position, generator, rotation):
    """Two dimensions follow the position (0.06 per px), four are looks; then rotate them all."""
    looks = torch.randn(*position.shape[:-1], LATENT - 2, generator=generator)
    place = 0.06 * (position - SIZE / 2)
    place = place + NOISE * torch.randn(position.shape, generator=generator)
    return torch.cat([place, looks], -1) @ rotation.mT


@pytest.fixture
def rotation(generator):
    return torch.linalg.qr(torch.randn(LATENT, LATENT, generator=generator))[0]


@pytest.fixture
def bank(generator, rotation):
    return make_bank(generator, rotation)


def make_bank(generator, rotation, count=20_000):
    position = SIZE * torch.rand(count, 2, generator=generator)
    return GoalBank(
        position=position, shape=torch.randint(3, (count,), generator=generator),
        colour=torch.randint(3, (count, 3), generator=generator) / 2,
        size=10 + 11 * torch.rand(count, generator=generator),
        orientation=6 * torch.rand(count, generator=generator),
        mean=encode(position, generator, rotation), sd=torch.full((count, LATENT), SD),
        traits=torch.rand(count, 11, generator=generator),
        model_id='0123456789abcdef', image_size=(SIZE, SIZE),
        shapes=('square', 'ellipse', 'heart'))


def test_importance_weights_agree_with_direct_sampling(bank, generator, rotation):
    """Eq. 9-12: the same preference from weighted uniform samples and from samples of ptilde."""
    spread, goal = 3.0, torch.tensor([40.0, 25.0])
    weights = torch.exp((bank.position - goal).square().sum(-1) / (-2 * spread ** 2))
    weighted = bank.weighted(weights, 'diagonal')
    count = 20_000
    direct = encode(goal + spread * torch.randn(count, 2, generator=generator), generator,
                    rotation)
    variance = direct.var(0) + SD ** 2
    error = (variance / weighted.effective_samples).sqrt()
    assert ((weighted.mean - direct.mean(0)).abs() < 4 * error).all()
    found = weighted.precision.diagonal().reciprocal()
    # relative error of a variance from n samples: sqrt(2 / n)
    tolerance = 4 * (2 / weighted.effective_samples).sqrt().item()
    torch.testing.assert_close(found, variance, rtol=tolerance, atol=0)


def test_weights_enter_as_in_eq12(bank, generator):
    weights = torch.rand(len(bank), generator=generator)
    found = bank.weighted(weights, 'diagonal')
    share = (weights / weights.sum())[:, None].double()
    mean = (share * bank.mean).sum(0)
    variance = (share * ((mean - bank.mean).square() + bank.sd.square())).sum(0)
    torch.testing.assert_close(found.mean, mean.float(), rtol=0, atol=1e-5)
    # beside the floor of the variance, which is 1e-4 of its value over the whole bank
    torch.testing.assert_close(found.precision.diagonal().reciprocal(), variance.float(),
                               rtol=1e-3, atol=0)


@pytest.mark.parametrize('goal', [(32, 32), (20, 45), (3, 60), (64, 64)])
def test_preference_means_the_position_even_at_the_border(bank, rotation, goal):
    """Also where half of the Gaussian lies outside of the bank: within 0.5 px."""
    found = bank.toward(goal, sd_px=2.0).mean @ rotation
    position = found[:2] / 0.06 + SIZE / 2
    torch.testing.assert_close(position, torch.tensor(goal).float(), rtol=0, atol=0.5)
    off = bank.toward(goal, sd_px=2.0, recentre=False).mean @ rotation
    if goal == (64, 64):
        assert (off[:2] / 0.06 + SIZE / 2 < 63).all()


def test_full_covariances_are_shrunk_toward_the_diagonal_by_their_samples(generator, rotation):
    bank = make_bank(generator, rotation, 30)
    found = torch.linalg.inv(bank.weighted(torch.ones(30), 'full').precision)
    plain = torch.linalg.inv(bank.weighted(torch.ones(30), 'diagonal').precision)
    sample = torch.from_numpy(np.cov(bank.mean.numpy().T, bias=True))
    off = ~torch.eye(LATENT, dtype=torch.bool)
    torch.testing.assert_close(found[off], (30 / (30 + LATENT)) * sample[off].float(),
                               rtol=1e-2, atol=1e-4)
    torch.testing.assert_close(found.diagonal(), plain.diagonal(), rtol=1e-3, atol=0)


def test_full_covariance_finds_positions_in_rotated_dimensions(bank, rotation):
    """
    What the planner reads out of a state is a position, whatever the looks.

    With position and looks mixed in every dimension, weights that ignore how dimensions vary
    together let the looks of an object pass for a displacement.
    """
    dynamics = rotation @ torch.cat([0.06 * torch.eye(2), torch.zeros(LATENT - 2, 2)])
    state = torch.tensor([0.0, 0, 1.5, -1, 1, 2]) @ rotation.mT      # at (32, 32), odd looks
    errors = {}
    for covariance in ('full', 'diagonal'):
        goal = bank.toward((32.0, 32.0), covariance=covariance)
        weighted = goal.precision @ dynamics
        way = torch.linalg.solve(dynamics.mT @ weighted, weighted.mT @ (goal.mean - state))
        errors[covariance] = way.norm().item()
    assert errors['full'] < 1.0 < errors['diagonal']


def test_many_goals_at_once_are_the_goals_one_by_one(bank):
    goals = torch.tensor([[[10.0, 20.0], [50.0, 40.0]], [[30.0, 33.0], [60.0, 5.0]]])
    together = bank.toward(goals)
    for i in range(2):
        for j in range(2):
            alone = bank.toward(goals[i, j])
            torch.testing.assert_close(together[i, j].mean, alone.mean, rtol=0, atol=2e-3)
            torch.testing.assert_close(together[i, j].precision, alone.precision,
                                       rtol=2e-2, atol=1e-1)


def test_classes_restrict_the_samples(bank):
    chosen = bank.select(shape='heart', colour=(1.0, 0.5, 0.0), size_range=(12.0, 15.0))
    assert 0 < chosen.sum() < len(bank) / 81
    assert (bank.shape[chosen] == 2).all()
    assert (bank.colour[chosen] == torch.tensor([1.0, 0.5, 0.0])).all()
    assert ((bank.size[chosen] >= 12) & (bank.size[chosen] <= 15)).all()
    restricted = bank.toward((32, 32), shape='heart')
    assert restricted.effective_samples < bank.toward((32, 32)).effective_samples / 2


def test_reads_positions_out_of_beliefs(bank):
    error = bank.locate(bank.mean) - bank.position
    assert error.square().mean().sqrt() < 2 * NOISE / 0.06


@pytest.mark.parametrize('request_, reason', [
    ({'position': (70.0, 10.0)}, r'\(70, 10\) px lies outside the image'),
    ({'position': (float('nan'), 10.0)}, 'outside the image'),
    ({'position': (1.0, 2.0, 3.0)}, r'a position \(x, y\)'),
    ({'position': (32, 32), 'sd_px': 0.0}, 'spread of a goal must be a positive'),
    ({'position': (32, 32), 'shape': 'star'}, "no shape 'star'; the bank knows square"),
    ({'position': (32, 32), 'colour': (2.0, 0, 0)}, 'three numbers in'),
    ({'position': (32, 32), 'size_range': (20, 10)}, 'range of sizes'),
    ({'position': (32, 32), 'covariance': 'round'}, '"full" or "diagonal"'),
    ({'position': (32, 32), 'sd_px': 0.1}, 'effective samples, at least 5'),
    ({'position': (32, 32), 'colour': (0.5, 0.5, 0.5), 'shape': 'heart'}, 'effective samples'),
])
def test_impossible_goals_are_refused_with_the_reason(bank, request_, reason):
    with pytest.raises(GoalError, match=reason):
        bank.toward(**request_)


def test_weights_that_weigh_nothing_are_refused(bank):
    for weights in (torch.zeros(len(bank)), -torch.ones(len(bank))):
        with pytest.raises(GoalError, match='weights of a goal must be 0 or more, and not all 0'):
            bank.weighted(weights)


def test_a_bank_on_a_line_says_so(bank):
    line = replace(bank, position=bank.position * torch.tensor([1.0, 0.0]) + 20.0)
    with pytest.raises(GoalError, match='lie on one line'):
        line.toward([40.0, 20.0])


def test_file_holds_the_bank(bank, tmp_path):
    path = tmp_path / 'toy.goals.safetensors'
    bank.save(path)
    read = GoalBank.load(path, '0123456789abcdef')
    assert (read.model_id, read.image_size, read.shapes) == (
        bank.model_id, bank.image_size, bank.shapes)
    for name in goal_bank.COLUMNS:
        assert torch.equal(getattr(read, name), getattr(bank, name))
    with pytest.raises(GoalError, match=f'larger bank .`obai learn-goals --checkpoint WEIGHTS '
                                        f'--out {path} --objects N`'):
        read.first(20).toward((32, 32), sd_px=0.1)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_files_that_are_no_bank_of_the_model_are_refused(bank, tmp_path):
    path = tmp_path / 'toy.goals.safetensors'
    with pytest.raises(GoalBankError, match='make it with `obai learn-goals --checkpoint WEIGHTS'):
        GoalBank.load(path)
    bank.save(path)
    with pytest.raises(GoalBankError, match='belongs to the model 0123456789abcdef, but'):
        GoalBank.load(path, 'another')
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(GoalBankError, match='damaged'):
        GoalBank.load(path)


@pytest.mark.parametrize('damage, words', [
    (lambda content, bank: content.replace(b'"model_id"', b'"model_ie"'), "damaged .'model_id'"),
    (lambda content, bank: content.replace(b'[64, 64]', b'[64, 6]]'), 'damaged .Extra data'),
    (lambda content, bank: content.replace(
        bank.mean[0].numpy().tobytes(), torch.full_like(bank.mean[0], torch.nan).numpy().tobytes()
    ), 'damaged: not all of its mean is finite')])
def test_a_damaged_bank_is_refused_with_what_makes_another(bank, tmp_path, damage, words):
    path = tmp_path / 'toy.goals.safetensors'
    bank.save(path)
    content = path.read_bytes()
    path.write_bytes(damage(content, bank))
    assert path.read_bytes() != content
    with pytest.raises(GoalBankError, match=f'{words}.*make it anew with `obai learn-goals'):
        GoalBank.load(path)


def test_banks_of_one_model_join(bank):
    assert len(GoalBank.join([bank, bank])) == 2 * len(bank)
    with pytest.raises(GoalBankError, match='different models'):
        GoalBank.join([bank, replace(bank, model_id='other')])


def test_columns_must_match(bank):
    with pytest.raises(GoalBankError, match='"shape"'):
        replace(bank, shape=bank.shape[:-1])
