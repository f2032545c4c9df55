# SPDX-License-Identifier: Apache-2.0
import torch

from obai_ros.action_field import ActionField
from obai_ros.control.benchmark import make_pilot, play_in_parts
from obai_ros.control.episodes import Move, play
from obai_ros.control.measures import distances, summarise
from obai_ros.control.pilots import Onlooker, Oracle
from obai_ros.control.task import sample_task
from obai_ros.environment.scene import SceneConfig
from obai_ros.planning.planner import PlannerConfig

CONFIG = SceneConfig()


def test_oracle_brings_a_single_object_to_its_goal():
    task = sample_task('single', CONFIG, 40, seed=1)
    figures = summarise(play(task, Oracle(), 20))
    assert figures['success_rate_2px'] >= 0.95
    assert figures['wrong_push_rate'] == 0
    assert figures['settle_steps']['median'] <= 5
    assert figures['overshoot']['median'] < 0.05


def test_oracle_gathers_objects_that_hide_each_other():
    """Who is deeper is not known; those who vanish at speed would never be stopped."""
    task = sample_task('gather', CONFIG, 40, seed=1)
    assert summarise(play(task, Oracle(), 20))['success_rate_4px'] >= 0.75


def test_eq14_never_settles_even_with_true_states():
    task = sample_task('single', CONFIG, 20, seed=1)
    figures = summarise(play(task, Oracle(PlannerConfig(law='eq14')), 20))
    assert figures['success_rate_4px'] <= 0.05
    assert figures['overshoot']['median'] > 0.5


def test_nobody_acting_lets_objects_drift():
    task = sample_task('gather', CONFIG, 5, seed=1)
    episodes = play(task, Onlooker(), 4)
    drift = task.scene.position + 4 * task.scene.velocity
    torch.testing.assert_close(episodes.position[:, -1], drift)
    assert episodes.pushes.sum() == episodes.energy.sum() == 0
    torch.testing.assert_close(distances(episodes)[:, 0],
                               (task.scene.position - task.goal).norm(dim=-1))


def test_episodes_do_not_depend_on_how_many_are_played_at_once():
    task = sample_task('gather', CONFIG, 5, seed=3)
    finished = []
    parts = play_in_parts(task, make_pilot('oracle', PlannerConfig()), 6, 2, finished.append)
    whole = play(task, Oracle(), 6)
    assert finished == [2, 4, 5]
    torch.testing.assert_close(parts.position, whole.position)


class Fumbler:
    """Pushes the middle of every object, believing each time that it is the first."""

    def begin(self, task):
        self.task = task

    def act(self, image, scene, labels):
        pixel = scene.position.long().clamp(0, 63)
        field = ActionField(pixel[..., 1], pixel[..., 0], torch.full_like(scene.position, 1e-6),
                            64, 64)
        return Move(field, torch.zeros_like(pixel[..., 0]))


def test_pushes_of_other_objects_than_meant_are_counted():
    apart = SceneConfig(size_range=(0.15, 0.16), velocity_sd=0.01, shapes=('square',))
    task = sample_task('gather', apart, 30, seed=0)
    gaps = (task.scene.position[:, :, None] - task.scene.position[:, None]).norm(dim=-1)
    clear = (gaps + 99 * torch.eye(3)).amin((1, 2)) > 16
    assert clear.sum() > 5
    episodes = play(task, Fumbler(), 1)
    assert (episodes.pushes == 3).all()
    assert (episodes.wrong[clear] == 2).all()


def test_pushes_of_objects_to_be_left_alone_are_counted():
    apart = SceneConfig(size_range=(0.15, 0.16), velocity_sd=0.01, shapes=('square',))
    task = sample_task('single', apart, 30, seed=0)
    gaps = (task.scene.position[:, :, None] - task.scene.position[:, None]).norm(dim=-1)
    clear = (gaps + 99 * torch.eye(3)).amin((1, 2)) > 16
    wrong = play(task, Fumbler(), 1).wrong.squeeze(1)
    first = task.targeted[:, 0]
    assert (wrong[clear & first] == 2).all() and (wrong[clear & ~first] == 3).all()
