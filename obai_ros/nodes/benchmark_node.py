# SPDX-License-Identifier: Apache-2.0
"""Shows images to perception_node, one at a time, and measures until its beliefs come back."""
from __future__ import annotations

import functools
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rclpy.node import Node
from sensor_msgs.msg import Image

from obai_ros.benchmark.case import Case
from obai_ros.benchmark.perception import camera_pictures
from obai_ros.benchmark.timing import percentiles
from obai_ros.demo.loop import enter_domain, node_commands, STARTUP_PATIENCE
from obai_ros.demo.processes import Supervisor
from obai_ros.messages import image
from obai_ros.model.checkpoint import save_checkpoint
from obai_ros.msg import PerceptionStatus, SlotBeliefs
from obai_ros.nodes import qos
from obai_ros.nodes.guest import Guest

PATIENCE = 5.0  # s without beliefs about an image, after which it counts as lost


class BenchmarkNode(Node):
    """
    Publishes pictures as a camera does and notes when messages about them come.

    pictures: [H, W, 3] uint8, shown over and over.
    """

    def __init__(self, context, pictures):
        super().__init__('benchmark_node', context=context)
        self._images = [image.from_numpy(picture, 'rgb8', Image()) for picture in pictures]
        self._publisher = self.create_publisher(Image, 'image_raw', qos.IMAGE_OUT)
        self._shown = 0
        self._stamp = None
        self._sent = 0.0
        self.seconds = None  # from the image to its beliefs; None while they are awaited
        self.status = None   # what the node says about that image
        self.create_subscription(SlotBeliefs, 'slots', self._take_slots, qos.RECORD)
        self.create_subscription(PerceptionStatus, 'perception_node/status', self._take_status,
                                 qos.RECORD)

    def show(self) -> None:
        """Publish the next picture."""
        message = self._images[self._shown % len(self._images)]
        message.header.stamp = self.get_clock().now().to_msg()
        self._shown += 1
        self._stamp, self.seconds, self.status = message.header.stamp, None, None
        self._sent = time.perf_counter()
        self._publisher.publish(message)

    def answered(self) -> bool:
        """Return whether all has come that belongs to the picture shown last."""
        return self.seconds is not None and self.status is not None

    def is_connected(self) -> bool:
        """Return whether somebody sees the pictures, and is seen."""
        return (self._publisher.get_subscription_count() > 0
                and self.count_publishers('slots') > 0)

    def _take_slots(self, message):
        came = time.perf_counter()
        if message.header.stamp == self._stamp and self.seconds is None:
            self.seconds = came - self._sent

    def _take_status(self, message):
        if message.header.stamp == self._stamp:
            self.status = message


def time_node(case: Case, frames: int, threads: int, domain: int, logs: Path,
              warm_up: int = 10, progress=lambda frames: None) -> dict:
    """
    Return what a perception_node of its own process takes for a case of batch 1, ready for JSON.

    ms_per_frame: from the publication of an image to the arrival of its beliefs, median and 99th
    percentile; the next image is shown when that is answered. inside_ms: medians of what the node
    itself says. lost: images that were never answered. resident_mb: of the node, at most.
    threads: of torch in the node. logs: folder for what the node says. progress(frames): told how
    many are answered, those of the warm-up included.
    Raises RuntimeError, in a sentence, when the node fails or loses most images, and ValueError
    for a batch, which the node does not know.
    """
    if case.batch != 1:
        raise ValueError(f'batch is {case.batch}: perception_node watches one camera, expected 1')
    environment = enter_domain(domain)
    with tempfile.TemporaryDirectory() as folder, Supervisor(logs) as supervisor:
        command, engine = _command(case, threads, Path(folder))
        make_node = functools.partial(BenchmarkNode, pictures=camera_pictures(case)[0])
        with Guest(make_node) as guest:
            began = time.monotonic()
            supervisor.start('perception_node', command, environment)
            answers, lost = [], 0
            if not _wait(guest, supervisor, guest.node.is_connected, STARTUP_PATIENCE):
                raise RuntimeError(
                    f'perception_node does not look at images after {STARTUP_PATIENCE:g} s.'
                    f'{supervisor.quote("perception_node")}')
            ready = time.monotonic() - began
            while len(answers) < warm_up + frames:
                guest.node.show()
                if _wait(guest, supervisor, guest.node.answered, PATIENCE):
                    answers.append((guest.node.seconds, guest.node.status))
                    progress(len(answers))
                    continue
                lost += 1
                if lost > 3 + len(answers) // 2:
                    raise RuntimeError(
                        f'{lost} of {lost + len(answers)} images were lost on the way to '
                        f'perception_node or not answered within {PATIENCE:g} s; choose a smaller '
                        '--camera, or unset FASTDDS_BUILTIN_TRANSPORTS so that shared memory is '
                        f'used.{supervisor.quote("perception_node")}')
        memory = supervisor.memory()['perception_node']
    measured = answers[warm_up:]
    inside = {name: percentiles([getattr(status, f'{name}_s') for _, status in measured])['p50']
              for name in ('convert', 'infer', 'publish')}
    return {'engine': engine, 'frames': frames,
            'ms_per_frame': percentiles([seconds for seconds, _ in measured]),
            'inside_ms': inside, 'lost': lost, 'resident_mb': memory, 'ready_s': ready}


def _command(case: Case, threads: int, folder: Path) -> tuple[list[str], str]:
    """
    Return the command line of perception_node for a case, and its engine.

    Its weights are put into `folder`; its code is compiled here, so that it lies ready.
    """
    model, _ = case.model()
    _, engine = case.filter(model)
    weights = folder / 'weights.safetensors'
    save_checkpoint(weights, model, {}, replace(case.schedule, second_look=0, descent=0))
    command = node_commands(weights, case.device, 0, case.config.image_size,
                            precision=case.precision, engine=engine)['perception_node']
    parameters = {'second_look': case.second_look, 'threads': threads, 'starts': 1,
                  'births': case.schedule.births, 'descent': case.descent}
    return command + [word for name, value in parameters.items()
                      for word in ('-p', f'{name}:={json.dumps(value)}')], engine


def _wait(guest: Guest, supervisor: Supervisor, condition, patience: float) -> bool:
    """Serve callbacks until the condition holds; return whether it does within `patience` s."""
    deadline = time.monotonic() + patience
    guest.serve_until(lambda: supervisor.check() or condition() or time.monotonic() > deadline)
    return condition()
