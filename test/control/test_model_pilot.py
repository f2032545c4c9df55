# SPDX-License-Identifier: Apache-2.0
"""The pilot with perception that is perfect, but in a latent space that it has to understand."""
import pytest
import torch

from obai_ros.control import model_pilot
from obai_ros.control.episodes import play
from obai_ros.control.measures import summarise
from obai_ros.control.model_pilot import ModelPilot
from obai_ros.control.task import sample_task
from obai_ros.environment.rendering import render
from obai_ros.environment.scene import sample_scene, SceneConfig
from obai_ros.model.belief import Belief
from obai_ros.model.contact import contacts
from obai_ros.model.percept import describe_planes, moments, Percept
from obai_ros.model.schedule import Schedule
from obai_ros.model.traits import traits
from obai_ros.planning.delay import Foresight, moved
from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.planner import PlannerConfig

CONFIG = SceneConfig(palette=(63, 127, 191, 255))
LATENT = 9
ORDER = torch.tensor([2, 0, 3, 1])
"""Slot k shows ORDER[k]: 0 the background, n object n."""


def rotation():
    generator = torch.Generator().manual_seed(0)
    return torch.linalg.qr(torch.randn(LATENT, LATENT, generator=generator))[0]


def encode(position, shape, colour, size):
    """Position, colour, size and shape, mixed in all of the dimensions."""
    looks = torch.nn.functional.one_hot(shape, 3).float()
    return torch.cat([0.06 * (position - 32), colour, 0.1 * size[..., None], looks], -1) \
        @ rotation().mT


def percept(scene, image, labels):
    """Return what a perfect model would see."""
    batch = len(labels)
    masks = torch.nn.functional.one_hot(labels.long(), 4).permute(0, 3, 1, 2).float()
    state = encode(scene.position, scene.shape, scene.colour, scene.size)
    velocity = (0.06 * scene.velocity) @ rotation()[:, :2].mT
    nothing = torch.zeros(batch, 1, LATENT)
    sure = torch.full((batch, 4, LATENT), -4.0)
    belief = Belief(torch.cat([nothing, state], 1), torch.cat([nothing, velocity], 1), sure, sure)
    masks = masks[:, ORDER]
    described = describe_planes(masks, masks, masks, image)
    nowhere = torch.zeros(batch, dtype=torch.bool)
    return Percept(
        belief=belief[:, ORDER], **vars(described), entropy=described.mass,
        slot_free_energy=described.mass, iterations=1, jumped=nowhere, renewed=nowhere)


class PerfectFilter:
    """Shows what is there; `truth` is told to it before each frame."""

    def __init__(self, *_):
        self.truth = None

    def start(self, batch, seed):
        assert len(seed) == batch
        return 0

    def step(self, state, image, action=None):
        assert action is None or action.height == 64
        scene, labels = self.truth
        return state + 1, percept(scene, image, labels)


class Clairvoyant(ModelPilot):
    """Tells its filter the truth about each frame."""

    def begin(self, task):
        goal = type(task.scene)(**{**vars(task.scene), 'position': task.goal,
                                   'velocity': torch.zeros_like(task.goal)})
        _, labels = model_pilot_render(goal)
        self._filter.truth = (goal, labels)
        super().begin(task)

    def act(self, image, scene, labels):
        self._filter.truth = (scene, labels)
        return super().act(image, scene, labels)


def model_pilot_render(scene):
    return render(scene, CONFIG)


class Dynamics:
    D = 0.06 * rotation()[:, :2]


class Model:
    dynamics, device = Dynamics(), torch.device('cpu')


class Checkpoint:
    model, schedule = Model(), Schedule(window=2)


@pytest.fixture(scope='module')
def bank():
    generator = torch.Generator().manual_seed(1)
    config = SceneConfig(num_objects=1, position_range=(0, 1), palette=CONFIG.palette)
    scene = sample_scene(config, 5000, generator)
    image, labels = render(scene, config)
    mask = (labels > 0)[:, None].float()
    flat = {name: getattr(scene, name).flatten(0, 1)
            for name in ('position', 'shape', 'colour', 'size', 'orientation')}
    mean = encode(*(flat[name] for name in ('position', 'shape', 'colour', 'size')))
    mean = mean + 0.02 * torch.randn(mean.shape, generator=generator)
    return GoalBank(**flat, mean=mean, sd=torch.full_like(mean, 0.02),
                    traits=traits(mask, image, *moments(mask))[:, 0], model_id='perfect',
                    image_size=(64, 64), shapes=('square', 'ellipse', 'heart'))


@pytest.mark.parametrize('kind, least', [('gather', 0.6), ('single', 0.95), ('sort', 0.8),
                                         ('image', 0.9)])
def test_objects_get_where_they_were_asked_to(bank, monkeypatch, kind, least):
    """Share of objects; the rest is hidden behind others, or looks just like another."""
    monkeypatch.setattr(model_pilot, 'Filter', PerfectFilter)
    task = sample_task(kind, CONFIG, 40, seed=2)
    figures = summarise(play(task, Clairvoyant(Checkpoint(), bank), 20))
    assert figures['object_success_rate_4px'] >= least
    assert figures['wrong_push_rate'] <= 0.02


@pytest.mark.parametrize('delay', [1, 2])
def test_an_object_is_caught_though_actions_act_later(bank, monkeypatch, delay):
    """Not without planning for that: the same moves, carried out later, throw it off."""
    monkeypatch.setattr(model_pilot, 'Filter', PerfectFilter)
    task = sample_task('single', CONFIG, 20, seed=2)
    aware = summarise(play(task, Clairvoyant(Checkpoint(), bank, PlannerConfig(delay=delay)), 20))
    assert aware['object_success_rate_4px'] >= 0.85
    monkeypatch.setattr(model_pilot, 'foresee', blindly)
    blind = summarise(play(task, Clairvoyant(Checkpoint(), bank, PlannerConfig(delay=delay)), 20))
    assert blind['object_success_rate_4px'] < 0.5 * aware['object_success_rate_4px']


def blindly(belief, labels, background, underway, *_):
    """Return that nothing will have changed."""
    way = torch.zeros_like(belief.mean[..., :2])
    return Foresight(belief, way, contacts(moved(labels, way, background), background), underway)


def test_delay_costs_little_where_objects_crowd(bank, monkeypatch):
    """Nor do pushes that will miss start a round of pushes that miss, too."""
    monkeypatch.setattr(model_pilot, 'Filter', PerfectFilter)
    task = sample_task('gather', CONFIG, 20, seed=2)
    prompt, late = (summarise(play(task, Clairvoyant(Checkpoint(), bank, PlannerConfig(
        delay=delay)), 20))['object_success_rate_4px'] for delay in (0, 1))
    assert late > 0.85 * prompt
