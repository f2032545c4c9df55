# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest
import torch

from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.model.pixels import as_image
from obai_ros.training.carry_over import carried_over
from obai_ros.training.recipe import Recipe, preset_path, read_recipe


@pytest.mark.parametrize('name, preset', [('fast', 'fast'), ('paper', 'paper'),
                                          ('smoke', 'smoke'), ('onward', 'fast'),
                                          ('taught', 'paper'), ('recorded', 'fast')])
def test_bundled_recipes_are_sound_and_survive_json(name, preset):
    recipe = read_recipe(preset_path(name))
    assert recipe.model.preset == preset
    assert recipe.precision == ('float32' if name == 'smoke' else 'auto')
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_numbers_without_a_point_are_read(tmp_path):
    path = tmp_path / 'mine.yaml'
    path.write_text('model: smoke\nstages:\n- {name: a, steps: 2, image_size: 32, batch: 2, '
                    'learning_rate: 1e-3, final_learning_rate: 1e-4}\n')
    assert read_recipe(path).stages[0].learning_rate == 1e-3


def test_settings_beside_a_preset_change_it_and_not_another(tmp_path):
    path = tmp_path / 'mine.yaml'
    path.write_text('model: {preset: paper, sigma_s: 5e-2}\nstages: [{name: a, steps: 2}]\n')
    assert read_recipe(path).model == replace(ModelConfig.named('paper'), sigma_s=0.05)


@pytest.mark.parametrize('text, complaint', [
    ('stages: []\n', 'no stages'),
    ('model: huge\nstages: [{name: a, steps: 1}]\n', "unknown preset 'huge'"),
    ('model: 3\nstages: [{name: a, steps: 1}]\n', 'model is 3'),
    ('stages: [{name: a, steps: 0}]\n', 'steps is 0'),
    ('stages: [{name: a, steps: 1, colour: red}]\n',
     'stage 1 has a setting that does not exist, colour: it knows name, steps'),
    ('scene: {colour: red}\nstages: [{name: a, steps: 1}]\n', 'scene has a setting that does'),
    ('optimiser: muon\nstages: [{name: a, steps: 1}]\n', 'the recipe has a setting that does'),
    ('stages: [{steps: 1}]\n', 'stage 1 has no name'),
    ('stages: [{name: a}]\n', 'stage 1 has no steps'),
    ('stages: [1, 2]\n', 'stage 1 is 1: expected settings by name'),
    ('stages: {a: b}\n', 'stages is .*: expected a list of stages'),
    ('inference: 3\nstages: [{name: a, steps: 1}]\n', 'inference is 3'),
    ('stages: [{name: a, steps: 1, learning_rate: abc}]\n', "learning_rate is 'abc', expected a"),
    ('stages: [{name: a, steps: 1, action_frame: 9}]\n', 'action_frame is 9, expected one of'),
    ('stages: [{name: a, steps: 1, background_points: -3}]\n', 'background_points is -3'),
    ('stages: [{name: a, steps: 1, temperature: 0, final_temperature: 1}]\n',
     'the temperature goes from 0 to 1, expected positive'),
    ('validation_sequences: 0\nstages: [{name: a, steps: 1}]\n', 'validation_sequences is 0'),
    ('average: abc\nstages: [{name: a, steps: 1}]\n', "average is 'abc'"),
    ('clip: -1\nstages: [{name: a, steps: 1}]\n', 'clip is -1'),
    ('precision: half\nstages: [{name: a, steps: 1}]\n', "precision is 'half': expected one of a"),
    ('clip: .nan\nstages: [{name: a, steps: 1}]\n', 'clip is nan'),
    ('model: smoke\nstages: [{name: a, steps: 1, image_size: 16}, '
     '{name: b, steps: 1, image_size: 24}, {name: c, steps: 1, image_size: 32}]\n', '24'),
    ('stages: [{name: a, steps: 1, image_size: 40}]\n', '40 px'),
    ('model: paper\nstages: [{name: a, steps: 1, image_size: 32}]\n', 'networks of glimpses'),
    ('model: {preset: paper, latent_size: 3}\nstages: [{name: a, steps: 1, seeds: true}]\n',
     'seeds say what 3 latents are, and latent_size is 3'),
    ('stages: [{name: a, steps: 1, learning_rate: 1e-5}]\n', 'do not grow'),
    ('scene: {num_objects: 4}\nstages: [{name: a, steps: 1}]\n', '4 slots cannot hold 4 objects'),
    ('inference: {channels: 8}\nstages: [{name: a, steps: 1}]\n', 'another channels: only beta'),
    ('inference: {sigma_o: 0}\nstages: [{name: a, steps: 1}]\n', 'sigma_o is 0'),
    ('stages: [{name: a, steps: 1e3}]\n', 'steps is 1000.0, expected a whole number'),
    ('stages: [{name: a, steps: 1, window: 2.5}]\n', 'window is 2.5, expected a whole number'),
    ('inference: {iterations: 2.5}\nstages: [{name: a, steps: 1}]\n', 'is 2.5, expected a whole'),
    ('inference: {sigma_o: [1]}\nstages: [{name: a, steps: 1}]\n', 'sigma_o is .1., expected a'),
    ('model: {latent_size: x}\nstages: [{name: a, steps: 1}]\n',
     "latent_size is 'x', expected a whole number"),
    ('model: {latent_size: 8.5}\nstages: [{name: a, steps: 1}]\n', 'latent_size is 8.5, expected'),
    ('model: {num_slots: 4.5}\nstages: [{name: a, steps: 1}]\n', 'num_slots is 4.5, expected a'),
    ('model: {hidden_size: null}\nstages: [{name: a, steps: 1}]\n', 'hidden_size is None'),
    ('model: {sigma_o: x}\nstages: [{name: a, steps: 1}]\n',
     "sigma_o is 'x', expected a finite number"),
    ('model: {beta: .inf}\nstages: [{name: a, steps: 1}]\n', 'beta is inf, expected a finite'),
    ('model: {preset: [fast]}\nstages: [{name: a, steps: 1}]\n', 'unknown preset .*fast'),
    ('model: {colour: red}\nstages: [{name: a, steps: 1}]\n', 'model has a setting that does'),
    ('scene: {velocity_sd: fast}\nstages: [{name: a, steps: 1}]\n',
     "velocity_sd is 'fast', expected a finite number"),
    ('scene: {velocity_sd: -1}\nstages: [{name: a, steps: 1}]\n', 'velocity_sd is -1: expected 0'),
    ('scene: {acceleration_sd: x}\nstages: [{name: a, steps: 1}]\n', "acceleration_sd is 'x'"),
    ('scene: {num_objects: 2.5}\nstages: [{name: a, steps: 1}]\n', 'num_objects is 2.5, expected'),
    ('scene: {size_range: 0.2}\nstages: [{name: a, steps: 1}]\n',
     'size_range is 0.2, expected 2 in a list, each a finite number'),
    ('scene: {palette: [0, x]}\nstages: [{name: a, steps: 1}]\n',
     'palette is .*, expected a list, each a whole number'),
    ('stages: [{name: a, steps: 1, learning_rate: .inf}]\n', 'learning_rate is inf, expected a'),
    ('stages: [{name: a, steps: 1, seeds: 3}]\n', 'seeds is 3, expected true or false'),
    ('stages: [{name: a, steps: 1, plateau: x}]\n', 'plateau is .x., expected a .*, or null'),
    ('inference: {iterations: 0}\nstages: [{name: a, steps: 1}]\n', 'iterations is 0'),
    ('[1, 2]\n', 'holds no recipe'), ('stages: [\n', 'is not YAML')])
def test_impossible_recipes_are_refused_in_a_sentence(tmp_path, text, complaint):
    path = tmp_path / 'mine.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read_recipe(path)
    with pytest.raises(ValueError, match='does not exist'):
        read_recipe(tmp_path / 'other.yaml')


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / 'picture.yaml').write_bytes(b'\x89PNG\r\n\xff')
    with pytest.raises(ValueError, match='picture.yaml is not YAML'):
        read_recipe(tmp_path / 'picture.yaml')


def test_weights_carried_over_draw_the_same_at_the_larger_size(recipe):
    """Coarse to fine: each pixel of the small image shows what four of the large one do."""
    torch.manual_seed(0)
    coarse = Obai(recipe.model_at(recipe.stages[0]))
    fine = Obai(recipe.model)
    fine.load_state_dict(carried_over(coarse.state_dict(), coarse.config, fine.config))
    state = 0.3 * torch.randn(3, coarse.config.latent_size)
    small = as_image(coarse.decode(state))
    large = torch.nn.functional.avg_pool2d(as_image(fine.decode(state)), 2)
    scale = float(small.detach().std())
    assert float((large - small).detach().abs().mean()) < 0.1 * scale
    assert not torch.allclose(small.roll(1, -1), small, atol=scale)
    # px/frame^2 of a small image are half of those of a large one.
    assert torch.equal(fine.dynamics.D, coarse.dynamics.D / 2)


def test_other_differences_between_models_are_refused(recipe):
    with pytest.raises(ValueError, match='another channels'):
        carried_over({}, recipe.model, replace(recipe.model, channels=9))
    own = recipe.model
    with pytest.raises(ValueError, match='another initial_belief'):
        carried_over({}, own, replace(own, initial_belief='shared'))


def test_a_shared_initial_belief_is_given_to_every_slot(recipe):
    common = replace(recipe.model, initial_belief='shared')
    shared = Obai(common).state_dict()
    initial = carried_over(shared, common, recipe.model)['initial']
    size = recipe.model.latent_size
    assert initial.shape == (4, 4 * size)
    assert torch.equal(initial[:, size:], shared['initial'][:, size:].expand(4, -1))
    assert 0.1 < float((initial - shared['initial'])[:, :size].std()) < 0.5


def test_what_weights_infer_with_may_have_velocities_of_least_free_energy(tmp_path):
    path = tmp_path / 'recipe.yaml'
    path.write_text('inference: {exact_velocities: true, iterations: 2}\n'
                    'stages: [{name: a, steps: 1}]\n')
    recipe = read_recipe(path)
    learning, using = recipe.stages[0].schedule, recipe.schedule_at(recipe.stages[0])
    assert (learning.exact_velocities, using.exact_velocities) == (False, True)
    assert (learning.iterations, using.iterations) == (4, 2)
    path.write_text('inference: {exact_velocities: 3}\nstages: [{name: a, steps: 1}]\n')
    with pytest.raises(ValueError, match='exact_velocities is 3'):
        read_recipe(path)
