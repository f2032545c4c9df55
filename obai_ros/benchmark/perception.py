# SPDX-License-Identifier: Apache-2.0
"""Seconds of perception without ROS: image messages in, messages of beliefs out."""
from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import cv2
import numpy as np
import torch
from torch import Tensor

from obai_ros.benchmark.case import Case
from obai_ros.benchmark.stages import StageClock
from obai_ros.benchmark.timing import percentiles, settle
from obai_ros.camera.fit import fit
from obai_ros.environment.scene import SceneConfig
from obai_ros.environment.sequences import sample_sequences
from obai_ros.messages import image
from obai_ros.model import filter as filter_module
from obai_ros.model import birth, refinement, second_look
from obai_ros.model.percept import Percept
from obai_ros.model.pixels import to_image, to_picture
from obai_ros.nodes.percept_message import write_percept

LENGTH = 8
"""Frames of the video that cameras see over and over."""


class Rig:
    """
    Cameras before a filter and messages behind it, as in a node but without ROS.

    Everything is done by what the nodes use; messages only have the fields of those of ROS.
    """

    def __init__(self, case: Case):
        self.case = case
        self.model, self.weights = case.model()
        self.filter, self.engine = case.filter(self.model)
        self._videos = [[image.from_numpy(shown, 'rgb8', SimpleNamespace()) for shown in pictures]
                        for pictures in camera_pictures(case)]
        self._state = self.filter.start(case.batch)

    def frame(self) -> None:
        """Take in the next image of every camera."""
        number = self._state.frame
        images = self.convert([video[number % LENGTH] for video in self._videos])
        self._state, percept = self.filter.step(self._state, images)
        self.publish(percept, number)

    def convert(self, messages: list) -> Tensor:
        """Turn image messages of any size into images [B, 3, H, W] in [0, 1]."""
        images = []
        for message in messages:
            shown = image.to_rgb8(message)
            fitted = fit('crop', shown.shape[1], shown.shape[0], self.model.config.image_size)
            images.append(to_image(fitted.picture_to_grid(shown), self.model.device))
        return torch.stack(images)

    def publish(self, percept: Percept, number: int) -> list:
        """Turn a percept into messages."""
        return write_percept(percept, number, self.weights,
                             [SimpleNamespace() for _ in self._videos])

    def stages(self) -> list[tuple[object, str, str]]:
        """Say which function is which stage, for a StageClock."""
        inner = [(refinement, 'evaluate', 'gradient'), (second_look, 'mixture', 'gradient'),
                 (birth, 'evaluate', 'gradient'), (birth, 'mixture', 'gradient'),
                 (refinement, 'refine', 'refine')]
        if self.engine != 'reference':  # what others do is one piece
            inner = [(self.filter.engine, 'refine', 'engine')]
        if self.filter.schedule.descent:
            inner.append((self.filter.engine, 'descend', 'descent'))
        return [(self, 'convert', 'convert'), (self.filter, 'step', 'rest of the filter'),
                (self.model, 'decode', 'decode'), *inner,
                (self.filter.engine, 'describe', 'describe'),
                (filter_module, 'perceive', 'describe'), (self, 'publish', 'publish')]


def camera_pictures(case: Case) -> list[list[np.ndarray]]:
    """Return what each camera of a case sees: pictures [H, W, 3] uint8 of moving sprites."""
    scene = SceneConfig(image_size=case.config.image_size)
    videos = sample_sequences(scene, case.batch, LENGTH, torch.Generator().manual_seed(0))
    return [[np.ascontiguousarray(cv2.resize(to_picture(each), case.camera)) if case.camera
             else to_picture(each) for each in video] for video in videos.images]


def time_perception(case: Case, frames: int, warm_up: int = 10,
                    progress: Callable[[int], None] = lambda frames: None) -> dict:
    """
    Return milliseconds per frame of a case, in whole and by stage, ready for JSON.

    ms_per_frame: median and 99th percentile, nothing else being timed. cpu_ms_per_frame: mean
    time of all cores; with one thread, what ms_per_frame has beyond it went to others.
    stages_ms: of as many frames again, with the clock inside, median, 99th percentile and mean of
    each stage; the means add up to `clocked_mean_ms`. decode: the decoder. gradient: mixture,
    vector-Jacobian product and latent terms. refine: inputs of the refinement network, and the
    network. describe: percept from beliefs, less its decoding. engine: an engine other than the
    reference, in place of gradient and refine; decoding is part of it then, as of describe, and
    has no stage of its own. descent: gradient steps
    after refinement, where the case has any, less their decoding.
    progress(frames): told how many of twice as many are done.
    """
    rig = Rig(case)
    device = case.torch_device
    for _ in range(warm_up):
        rig.frame()
    spent = time.process_time()
    seconds = []
    for frame in range(frames):
        seconds.append(seconds_of(rig))
        progress(frame + 1)
    spent = time.process_time() - spent
    clock = StageClock(lambda: settle(device))
    clocked = []
    with clock.watching(*rig.stages()):
        for frame in range(frames):
            clocked.append(seconds_of(rig))
            clock.end_frame()
            progress(frames + frame + 1)
    names = list(dict.fromkeys(stage for _, _, stage in rig.stages()))
    stages = {}
    for name in names:
        taken = [frame.get(name, 0.0) for frame in clock.frames]
        stages[name] = {**percentiles(taken), 'mean': 1e3 * sum(taken) / frames}
    whole = percentiles(seconds)
    return {'engine': rig.engine, 'weights': rig.weights, 'frames': frames, 'ms_per_frame': whole,
            'ms_per_camera': whole['p50'] / case.batch, 'cpu_ms_per_frame': 1e3 * spent / frames,
            'stages_ms': stages,
            'clocked_mean_ms': 1e3 * sum(clocked) / frames}


def seconds_of(rig: Rig) -> float:
    """Return how long the rig takes for its next frame."""
    settle(rig.model.device)
    began = time.perf_counter()
    rig.frame()
    settle(rig.model.device)
    return time.perf_counter() - began
