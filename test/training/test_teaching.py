# SPDX-License-Identifier: Apache-2.0
"""Networks that learn from a model that can see already."""
import pytest
import torch

from obai_ros.cli import main
from obai_ros.environment.scene import SceneConfig
from obai_ros.model.checkpoint import load_checkpoint, save_checkpoint
from obai_ros.model.config import ModelConfig
from obai_ros.model.obai import Obai
from obai_ros.model.schedule import Schedule
from obai_ros.training.carry_over import carried_over
from obai_ros.training.recipe import read_recipe
from obai_ros.training.teaching import go_on, lesson_loss, lessons, pupil_of, teach

SCHEDULE = Schedule(2, 4, 2)


@pytest.fixture
def make_teacher():
    """Return a function that makes a random model of a preset."""
    def make(preset, **changes):
        torch.manual_seed(0)
        config = {**ModelConfig.named(preset).to_dict(), 'sigma_o': .2, **changes}
        return Obai(ModelConfig.from_dict(config)).eval()
    return make


def scene_of(teacher):
    return SceneConfig(image_size=teacher.config.image_size)


def draw(teacher, count, batch=2):
    source = lessons(teacher, SCHEDULE, scene_of(teacher), batch, torch.Generator().manual_seed(1))
    return [next(source) for _ in range(count)]


def test_a_pupil_takes_over_all_that_fits(make_teacher):
    teacher = make_teacher('fast', initial_belief='per_slot')
    pupil = pupil_of(teacher, 'paper')
    assert (pupil.config.decoder, pupil.config.trunk) == ('broadcast', 'strided')
    assert pupil.config.sigma_o == .2 and len(pupil.initial) == 4
    known = teacher.state_dict()
    for name, value in pupil.state_dict().items():
        if not name.startswith(('decoder.', 'refiner.trunk.', 'action_refiner.')):
            assert torch.equal(value, known[name]), name
    assert not pupil.action_refiner.out.weight.any()


def test_who_knows_it_all_has_nothing_to_learn(make_teacher):
    teacher = make_teacher('smoke')
    for lesson in draw(teacher, 3):
        assert lesson.output.shape == (2, 4, 4, 32, 32)
        assert lesson.inputs.shape == (2, 4, 16, 32, 32)
        with torch.no_grad():
            drawing, features = lesson_loss(pupil_of(teacher, 'smoke'), lesson)
        assert float(drawing) == pytest.approx(0, abs=1e-5)
        assert float(features) == pytest.approx(0, abs=1e-9)


def test_drawings_are_compared_as_they_look(make_teacher):
    """Whoever adds the same to the mask logits of all slots draws the same."""
    teacher = make_teacher('smoke')
    pupil, (lesson,) = pupil_of(teacher, 'smoke'), draw(teacher, 1)
    with torch.no_grad():
        pupil.decoder.rough.bias[-1] += 3.0
        assert float(lesson_loss(pupil, lesson)[0]) == pytest.approx(0, abs=1e-5)
        pupil.decoder.out.bias[:16] += 3.0
        assert float(lesson_loss(pupil, lesson)[0]) > .1


def test_features_count_by_what_the_gates_make_of_them(make_teacher):
    teacher = make_teacher('smoke')
    pupil, (lesson,) = pupil_of(teacher, 'smoke'), draw(teacher, 1)
    with torch.no_grad():
        gates = pupil.refiner.lstm.weight_ih
        gates[:, 0], gates[:, 1] = 0.0, 2.0
        lesson.features[..., 0] += 1e3
        assert float(lesson_loss(pupil, lesson)[1]) == pytest.approx(0, abs=1e-9)
        lesson.features[..., 1] += 0.5
        assert float(lesson_loss(pupil, lesson)[1]) == pytest.approx(1.0)


def test_what_it_is_told_is_learned_and_nothing_else_changes(make_teacher):
    teacher = make_teacher('smoke')
    with torch.no_grad():
        teacher.decoder.out.weight *= 5.0  # so that it has something to say
    pupil, exam = pupil_of(teacher, 'smoke'), draw(teacher, 2)
    torch.manual_seed(1)
    ignorant = Obai(pupil.config)
    pupil.decoder, pupil.refiner.trunk = ignorant.decoder, ignorant.refiner.trunk
    kept = {name: value.clone() for name, value in pupil.state_dict().items()}
    before = [lesson_loss(pupil, lesson) for lesson in exam]
    said = []
    teach(teacher, pupil, SCHEDULE, scene_of(teacher), 150, 2, 4e-3, 0,
          lambda *what: said.append(what))
    assert [step for step, _, _ in said] == list(range(1, 151))
    for lesson, (drawing, features) in zip(exam, before):
        after = lesson_loss(pupil, lesson)
        assert after[0] < .5 * drawing and after[1] < .5 * features
    for name, value in pupil.state_dict().items():
        if not name.startswith(('decoder.', 'refiner.trunk.')):
            assert torch.equal(value, kept[name]), name


def test_losses_that_are_no_numbers_end_it(make_teacher):
    teacher = make_teacher('smoke')
    with pytest.raises(ValueError, match='loss of step 2 is no number any more: expected a'):
        teach(teacher, pupil_of(teacher, 'smoke'), SCHEDULE, scene_of(teacher), 3, 1,
              float('inf'), 0, lambda *what: None)


def test_the_command_writes_a_model_that_can_be_gone_on_with(make_teacher, tmp_path, capsys):
    save_checkpoint(tmp_path / 'teacher.safetensors', make_teacher('fast'), {}, SCHEDULE)
    common = ['teach', '--teacher', str(tmp_path / 'teacher.safetensors'), '--steps', '2',
              '--batch', '1', '--precision', 'float32', '--device', 'cpu']
    assert main([*common, '--out', str(tmp_path / 'one.safetensors')]) == 0
    assert main([*common, '--pupil', str(tmp_path / 'one.safetensors'),
                 '--out', str(tmp_path / 'two.safetensors')]) == 0
    assert '2/2  drawings' in (said := capsys.readouterr().out)
    one, two = (load_checkpoint(tmp_path / f'{name}.safetensors') for name in ('one', 'two'))
    assert two.config.preset == 'paper' and two.schedule == SCHEDULE
    assert two.model_id != one.model_id
    assert two.record['teacher'] == load_checkpoint(tmp_path / 'teacher.safetensors').model_id
    assert two.record['before']['steps'] == 2 and two.record['sequences'] == 1
    recipe = read_recipe(said.split('--recipe ')[1].split()[0])
    assert recipe.schedule_at(recipe.stages[-1]).seeds
    carried_over(two.model.state_dict(), two.config, recipe.model)


def test_who_has_had_another_teacher_keeps_what_was_taught_and_nothing_else(make_teacher):
    earlier, teacher = pupil_of(make_teacher('fast'), 'paper'), make_teacher('fast')
    with torch.no_grad():
        for parameter in (*earlier.parameters(), *teacher.parameters()):
            parameter.normal_()
    pupil = pupil_of(teacher, 'paper')
    expected = {**pupil.state_dict(),
                **{name: value for name, value in earlier.state_dict().items()
                   if name.startswith(('decoder.', 'refiner.trunk.'))}}
    go_on(pupil, earlier)
    for name, value in pupil.state_dict().items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize('extra, words', [
    (['--preset', 'paper'], 'another image_size, latent_size, hidden_size than the teacher'),
    (['--teacher', 'missing.safetensors'], 'missing.safetensors does not exist')])
def test_what_cannot_be_taught_is_refused(make_teacher, tmp_path, capsys, extra, words):
    save_checkpoint(tmp_path / 'teacher.safetensors', make_teacher('smoke'), {}, SCHEDULE)
    assert main(['teach', '--teacher', str(tmp_path / 'teacher.safetensors'), '--steps', '1',
                 '--device', 'cpu', '--out', str(tmp_path / 'out.safetensors'), *extra]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / 'out.safetensors').exists()
