# SPDX-License-Identifier: Apache-2.0
"""All that computes does the same on a GPU as on the CPU, and waits for it only where it must."""
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from obai_ros.control.benchmark import make_pilot
from obai_ros.control.episodes import play
from obai_ros.control.task import sample_task
from obai_ros.environment.photograph import photograph, sample_light
from obai_ros.environment.scene import sample_scene, SceneConfig
from obai_ros.environment.sequences import sample_sequences
from obai_ros.model.checkpoint import checkpoint_path, load_checkpoint
from obai_ros.model.engine import Engine
from obai_ros.model.engines.direct import Direct
from obai_ros.model.engines.graphs import Graphs
from obai_ros.model.engines.part import PARTS
from obai_ros.model.filter import Filter
from obai_ros.model.schedule import EARLY
from obai_ros.nodes.percept_message import write_percept
from obai_ros.planning.bank_command import beside
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.planner import PlannerConfig
from obai_ros.training.dataset import generate_dataset, write_dataset
from obai_ros.training.evaluation import evaluate_dataset
from obai_ros.training.goal_learning import GoalLearning, Simulated
from obai_ros.training.learner import draw_batch, make_optimizer
from obai_ros.training.objective import composite_loss
from obai_ros.training.pictures import clip_sheet
from obai_ros.training.proposals import learn_proposals
from obai_ros.training.recipe import preset_path, read_recipe
from obai_ros.training.recorded import Recorded, Recordings
from obai_ros.training.streams import Streams
from obai_ros.training.teaching import pupil_of, teach
from obai_ros.training.validation import validate, validation_videos

from pretence import GPU, pretended_gpu
from stand_in import StandIn

LOOP = ('model/refinement.py', 'model/free_energy.py', 'model/likelihood.py', 'model/window.py',
        'model/percept.py', 'model/inference.py', 'model/engines/')
"""Where nothing waits for a GPU."""


def shipped(device):
    return load_checkpoint(checkpoint_path(None), device, 'float32')


def both(work):
    """Return what work(device) gives on the CPU, what on a GPU, and where that waited."""
    expected = work(torch.device('cpu'))
    with pretended_gpu() as waits:
        found = work(GPU)
        waited = dict(waits)
        return expected, _read(found), waited


def _read(value):
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {name: _read(each) for name, each in value.items()}
    return [_read(each) for each in value] if isinstance(value, (list, tuple)) else value


def assert_the_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=0.0, atol=0.0, equal_nan=True)


def published(percept):
    """Return the fields of what a node publishes."""
    messages = write_percept(percept, 0, '', [SimpleNamespace(), SimpleNamespace()])
    return [vars(message) for message in messages]


ENGINES = {
    'reference': lambda model: Engine(), 'direct': Direct,
    'graphs': lambda model: Graphs(model, PARTS, pytest.fail, StandIn)}


@pytest.mark.parametrize('engine', ENGINES)
def test_perception_waits_for_nothing_but_its_answer(engine):
    videos = sample_sequences(SceneConfig(), 2, 3, torch.Generator().manual_seed(0), 'cpu', (0, 1))

    def work(device):
        checkpoint = shipped(device)
        perception = Filter(checkpoint.model, checkpoint.schedule,
                            ENGINES[engine](checkpoint.model))
        state, seen = perception.start(2), []
        for frame in range(3):
            action = videos.actions[frame - 1] if frame else None
            state, percept = perception.step(state, videos.images[:, frame], action)
            seen.append([percept.belief.pack(), percept.masks, percept.labels, percept.traits])
        return [*seen, perception.predict(state, 2).images], published(percept)

    (expected, messages), (found, others), waits = both(work)
    assert_the_same(found, expected)
    assert messages == others
    asked = {place: count for place, count in waits.items() if 'agreement' not in place}
    # Patches are sought on the CPU.
    assert asked == {'model/seed.py:seeded_window': 1,
                     'nodes/percept_message.py:write_percept': 1}


def test_whether_a_second_look_is_due_is_waited_for_once():
    with pretended_gpu() as waits:
        checkpoint = shipped(GPU)
        image = torch.zeros(1, 3, 64, 64)
        perception = Filter(checkpoint.model, replace(checkpoint.schedule, second_look=100))
        state = perception.start(1)
        for _ in range(EARLY + 2):
            waits.clear()
            state, _ = perception.step(state, image)
    assert waits == {'model/filter.py:_look_again': 1}


@pytest.fixture(scope='module')
def recipe():
    whole = read_recipe(preset_path('fast'))
    stages = (replace(stage, batch=2, streams=min(stage.streams, 1)) for stage in whole.stages)
    return replace(whole, stages=tuple(stages), precision='float32')


def learned(model, objective):
    """Return a loss, and what one step on it makes of the weights."""
    objective.loss.backward()
    # Parameters that the pretended GPU is given lose their hooks, which D has one of.
    slope, model.dynamics.D.grad = model.dynamics.D.grad[:2], None
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    make_optimizer(read_recipe(preset_path('fast')), model, 1e-3).step()
    return [objective.loss, slope, model.state_dict()]


@pytest.mark.parametrize('temperature', [None, 1.0])
def test_learning_from_clips(recipe, temperature):
    def work(device):
        model = shipped(device).model.train()
        videos, noise = draw_batch(recipe, 1, 3, 0, 0, 1, device)
        return learned(model, composite_loss(model, videos.images, videos.actions,
                                             recipe.stages[1].schedule, noise, temperature))
    expected, found, waits = both(work)
    assert_the_same(found, expected)
    assert not [place for place in waits if place.startswith(LOOP)]


def test_learning_from_streams(recipe):
    def work(device):
        model = shipped(device).model.train()
        streams = Streams(recipe, 1, 3, device)
        for step in range(2):
            objective = streams.learn(model, step)
        return [*learned(model, objective), streams.state()]
    expected, found, _ = both(work)
    assert_the_same(found, expected)


def test_learning_from_recordings_and_looking_at_it(recipe, tmp_path):
    path = tmp_path / 'seen.npz'
    write_dataset(path, generate_dataset(SceneConfig(), 12, 4, 0))
    recorded = Recorded(Recordings(path).footage(64), 'seen.npz')
    stage = replace(recipe.stages[0], frames=2)

    def work(device):
        model = shipped(device).model
        generator = torch.Generator(device).manual_seed(1)
        clips = recorded.draw(stage, 2, generator, device)
        held_out = recorded.validation_clips(stage, 2)
        scores = validate(model, held_out, stage.schedule)
        sheet = clip_sheet(model, held_out.images.to(device),
                           [field.to(device) for field in held_out.actions], stage.schedule)
        return [clips.images, list(scores.values()), sheet]
    expected, found, _ = both(work)
    assert_the_same(found, expected)


def test_proposals_are_learned(recipe):
    stage = recipe.stages[1]
    videos = validation_videos(recipe.scene_at(stage), 16, 1, 0)
    expected, found, _ = both(lambda device: learn_proposals(
        shipped(device).model, videos.images[:, 0], stage.schedule))
    assert_the_same(found, expected)


def test_evaluation():
    dataset = generate_dataset(SceneConfig(), 1, 5, 0)

    def work(device):
        checkpoint = shipped(device)
        schedule = checkpoint.schedule.careful()
        return evaluate_dataset(checkpoint.model, dataset, schedule)
    expected, found, _ = both(work)
    assert found == expected


def test_photographs():
    config = SceneConfig()

    def work(device):
        generator = torch.Generator(device).manual_seed(0)
        light = sample_light(config, 2, generator, device)
        return photograph(sample_scene(config, 2, generator, device), light, config, generator)
    expected, found, waits = both(work)
    assert_the_same(found, expected)
    assert 'environment/photograph.py:photograph' not in waits


def test_teaching():
    def work(device):
        teacher = shipped(device)
        torch.manual_seed(0)
        pupil, said = pupil_of(teacher.model, 'paper'), []
        teach(teacher.model, pupil, replace(teacher.schedule, first_iterations=1, iterations=1),
              SceneConfig(), 1, 1, 1e-3, 0, lambda *what: said.append(what))
        return [said, pupil.refiner.trunk.state_dict()]
    expected, found, _ = both(work)
    assert_the_same(found, expected)


def test_goals_are_learned():
    expected, found, _ = both(lambda device: [
        getattr(Simulated()(shipped(device), GoalLearning(batch=1, objects=20), 0), name)
        for name in ('position', 'mean', 'sd', 'traits')])
    assert_the_same(found, expected)


@pytest.mark.parametrize('kind, planner', [('sort', 'feef'), ('image', 'eq14')])
def test_planning_from_pixels(kind, planner):
    task = sample_task(kind, SceneConfig(), 1, 0)

    def work(device):
        checkpoint = shipped(device)
        bank = GoalBank.load(beside(checkpoint_path(None)), checkpoint.model_id)
        pilot = make_pilot(planner, PlannerConfig(delay=1), checkpoint, bank)
        return play(task, pilot, 2 if kind == 'sort' else 1).position
    expected, found, _ = both(work)
    assert_the_same(found, expected)
