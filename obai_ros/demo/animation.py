# SPDX-License-Identifier: Apache-2.0
"""The moving picture of the demo: what the camera saw, what was understood, what was imagined."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from obai_ros.demo.records import Episode, Frame
from obai_ros.messages import overlay
from obai_ros.whole_file import whole_file

_PAPER = (255, 255, 255)
_INK = (40, 40, 40)
_FAINT = (120, 120, 120)
_GAP = 12
_CAPTION = 26
_PANEL = 256  # px, about the width of a panel
_TITLES = ('camera', 'objects found, actions, goal', 'reconstruction')


@dataclass(frozen=True)
class Reel:
    """Frames to be shown, with the goals that are marked on them, (x, y) px, and captions."""

    frames: tuple[Frame, ...]
    goals: tuple[tuple[float, float], ...]
    captions: tuple[str, ...]


def compose(frame: Frame, goals, caption: str) -> np.ndarray:
    """
    Return one frame of the animation, uint8 RGB: camera | overlay | reconstruction, with captions.

    goals: (x, y) px each; caption: the line below the pictures.
    """
    scale = max(1, round(_PANEL / frame.image.shape[1]))
    panels = (overlay.draw(frame.image, scale=scale),
              overlay.draw(frame.image, frame.labels, frame.arrows, list(goals), scale),
              overlay.draw(frame.reconstruction, scale=scale))
    height, width = panels[0].shape[:2]
    size = (len(panels) * width + (len(panels) + 1) * _GAP, height + 2 * _CAPTION)
    canvas = Image.new('RGB', size, _PAPER)
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(14)
    for index, (title, panel) in enumerate(zip(_TITLES, panels)):
        left = _GAP + index * (width + _GAP)
        canvas.paste(Image.fromarray(panel), (left, _CAPTION))
        # The frame of a picture, so that a white background is seen to end somewhere.
        pen.rectangle((left - 1, _CAPTION - 1, left + width, _CAPTION + height), outline=_FAINT)
        pen.text((left, _CAPTION / 2), title, fill=_INK, font=font, anchor='lm')
    pen.text((_GAP, _CAPTION * 1.5 + height), caption, fill=_FAINT, font=font, anchor='lm')
    return np.asarray(canvas)


def reels(episodes: list[Episode]) -> list[Reel]:
    """Return what is to be shown of the demo's episodes."""
    return [Reel(episode.frames, (episode.goal,), tuple(
        f'episode {number}   step {step}   '
        f'median distance to the goal {np.median(distance):.1f} px'
        for step, distance in enumerate(episode.distances())))
        for number, episode in enumerate(episodes, start=1)]


def write_gif(path, reels: list[Reel], milliseconds: int = 160) -> None:
    """
    Write reels as one endless GIF file.

    milliseconds: how long each frame is shown; the last of an episode stays longer. All frames
    share one palette, so that nothing flickers and unchanged parts cost nothing.
    """
    frames, durations = [], []
    for reel in reels:
        for frame, caption in zip(reel.frames, reel.captions):
            frames.append(Image.fromarray(compose(frame, reel.goals, caption)))
            durations.append(milliseconds)
        durations[-1] = 6 * milliseconds
    palette = _shared_palette(frames)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    with whole_file(path) as stream:
        indexed[0].save(stream, format='GIF', save_all=True, append_images=indexed[1:],
                        duration=durations, loop=0, optimize=False, disposal=1)


def _shared_palette(frames: list[Image.Image]) -> Image.Image:
    """Return an image whose palette serves all frames: chosen from some of them, tiled."""
    chosen = frames[::max(1, len(frames) // 16)]
    width, height = chosen[0].size
    sheet = Image.new('RGB', (width, height * len(chosen)))
    for index, frame in enumerate(chosen):
        sheet.paste(frame, (0, index * height))
    return sheet.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
