# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from obai_ros.control.task import sample_task, TASKS
from obai_ros.environment.rendering import render
from obai_ros.environment.scene import SceneConfig

CONFIG = SceneConfig()


@pytest.mark.parametrize('kind', TASKS)
def test_first_of_many_episodes_are_those_of_few(kind):
    few, many = sample_task(kind, CONFIG, 3, seed=7), sample_task(kind, CONFIG, 6, seed=7)
    part = many.part(0, 3)
    assert torch.equal(few.goal, part.goal) and torch.equal(few.targeted, part.targeted)
    assert torch.equal(few.scene.position, part.scene.position)
    assert many.part(2, 5).number.tolist() == [2, 3, 4]
    assert not torch.equal(few.goal, sample_task(kind, CONFIG, 3, seed=8).goal)
    assert ((few.goal > 0.2 * 64) & (few.goal < 0.8 * 64)).all()


def test_gather_brings_all_to_one_point():
    task = sample_task('gather', CONFIG, 4, seed=0)
    assert task.targeted.all()
    assert torch.equal(task.goal, task.point.expand(4, 3, 2))


def test_single_names_one_object_by_where_it_is():
    task = sample_task('single', CONFIG, 4, seed=0)
    assert (task.targeted.sum(1) == 1).all()
    assert torch.equal(task.scene.position[task.targeted], task.named)


def test_sort_sends_each_shape_to_its_own_point():
    task = sample_task('sort', CONFIG, 10, seed=0)
    for episode in range(10):
        for n, shape in enumerate(task.scene.shape[episode]):
            assert torch.equal(task.goal[episode, n], task.point[episode, shape])


def test_goal_image_shows_the_same_objects_at_their_goals():
    task = sample_task('image', CONFIG, 4, seed=0)
    at_goal = {name: value for name, value in vars(task.scene).items()}
    at_goal['position'] = task.goal
    assert torch.equal(render(type(task.scene)(**at_goal), CONFIG)[0], task.image)


def test_unknown_task_is_refused():
    with pytest.raises(ValueError, match="no task 'juggle': choose one of gather"):
        sample_task('juggle', CONFIG, 1, seed=0)


def test_photographs_are_of_the_same_episodes_however_many_are_played_at_once():
    flat, seen = (sample_task('image', CONFIG, 3, 0, photographs) for photographs in (False, True))
    assert torch.equal(flat.goal, seen.goal) and not torch.equal(flat.image, seen.image)
    assert torch.equal(flat.camera()(flat.scene)[0], render(flat.scene, CONFIG)[0])
    together, alone = seen.camera(), seen.part(1, 2).camera()
    for _ in range(2):
        assert torch.equal(together(seen.scene)[0][1:2], alone(seen.part(1, 2).scene)[0])
    assert torch.equal(seen.image[2:], sample_task('image', CONFIG, 3, 0, True).image[2:])
