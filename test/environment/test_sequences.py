# SPDX-License-Identifier: Apache-2.0
import torch

from obai_ros.environment.scene import SceneConfig
from obai_ros.environment.sequences import random_action, sample_sequences

CONFIG = SceneConfig()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_visible_object_and_the_background_get_one_point_each():
    videos = sample_sequences(CONFIG, 200, 2, generator())
    labels, action = videos.labels[:, 0], random_action(videos.labels[:, 0], CONFIG, generator(1))
    owner = labels.flatten(1).gather(1, action.flat_index())
    used = action.acceleration.abs().sum(-1) > 0
    for index in range(200):
        hit = owner[index][used[index]].tolist()
        assert sorted(hit) == sorted(labels[index].unique().tolist())


def test_hidden_objects_get_nothing():
    videos = sample_sequences(CONFIG, 300, 8, generator(4))
    labels = videos.labels[:, 7]  # many have left the image by then
    action = random_action(labels, CONFIG, generator())
    visible = torch.stack([(labels == n).flatten(1).any(1) for n in (1, 2, 3)], 1)
    assert not visible.all()
    assert (action.acceleration[:, :3].abs().sum(-1)[~visible] == 0).all()


def test_actions_act_at_the_chosen_frames_only():
    videos = sample_sequences(CONFIG, 3, 4, generator(), action_frames=(1,))
    assert [bool(field.acceleration.any()) for field in videos.actions] == [False, True, False,
                                                                           False]
    before, after = videos.scenes[1].velocity, videos.scenes[2].velocity
    assert not torch.equal(before, after)
    assert torch.equal(videos.scenes[0].velocity, before)


def test_images_show_the_colours_of_their_labels():
    videos = sample_sequences(CONFIG, 4, 2, generator())
    scene = videos.scenes[0]
    for index in range(4):
        for number in videos.labels[index, 0].unique().tolist():
            shown = videos.images[index, 0][:, videos.labels[index, 0] == number]
            true = (scene.background[index].expand(3) if number == 0
                    else scene.colour[index, number - 1])
            assert torch.equal(shown, true[:, None].expand_as(shown))


def test_the_dense_field_sums_points_that_share_a_pixel():
    action = random_action(torch.zeros(1, 64, 64, dtype=torch.uint8), CONFIG, generator(),
                           background_points=3)
    assert torch.allclose(action.dense().sum((1, 2)), action.acceleration.sum(1), atol=1e-5)
