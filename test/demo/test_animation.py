# SPDX-License-Identifier: Apache-2.0
"""Animation: what is on a frame, and a GIF that every viewer can read and that is small."""
import numpy as np
from obai_ros.demo.animation import compose, reels, write_gif
from obai_ros.messages import overlay
from PIL import Image


def test_a_frame_shows_camera_overlay_and_reconstruction(episodes):
    episode = episodes[0]
    frame = episode.frames[2]
    picture = compose(frame, [episode.goal], 'caption')
    side, gap, caption = 256, 12, 26
    assert picture.shape == (side + 2 * caption, 3 * side + 4 * gap, 3)
    panels = [picture[caption:caption + side, left:left + side]
              for left in (gap + index * (side + gap) for index in range(3))]
    assert (panels[0] == frame.image.repeat(4, 0).repeat(4, 1)).all()
    assert (panels[1] == overlay.draw(
        frame.image, frame.labels, frame.arrows, [episode.goal], 4)).all()
    assert (panels[2] == frame.reconstruction.repeat(4, 0).repeat(4, 1)).all()
    assert (picture[:caption - 1] < 128).any() and (picture[caption + side + 1:] < 160).any()


def test_small_images_are_shown_as_large(episode):
    small = episode(0, steps=1, size=16, goal=(8.0, 8.0))
    assert compose(small.frames[0], [small.goal], 'caption').shape == (308, 816, 3)


def test_the_gif_has_every_frame_faithful_and_small(episodes, tmp_path):
    path = tmp_path / 'loop.gif'
    write_gif(path, reels(episodes[:2]))
    assert path.stat().st_size < 2e6
    with Image.open(path) as gif:
        assert gif.info['loop'] == 0
        shown, durations = [], []
        for index in range(gif.n_frames):
            gif.seek(index)
            shown.append(np.asarray(gif.convert('RGB'), dtype=int))
            durations.append(gif.info['duration'])
    assert len(shown) == 32
    assert durations[15] == durations[31] > durations[0] == durations[14]
    wanted = compose(episodes[1].frames[3], [episodes[1].goal], 'x').astype(int)
    camera = slice(26, 282), slice(12, 268)
    assert np.abs(shown[19][camera] - wanted[camera]).mean() < 3
