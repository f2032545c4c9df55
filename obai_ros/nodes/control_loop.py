# SPDX-License-Identifier: Apache-2.0
"""The episodes of a control task, played by the real nodes."""
from __future__ import annotations

from pathlib import Path

from sensor_msgs.msg import Image

from obai_ros.control.request import requests
from obai_ros.control.task import Task
from obai_ros.demo.loop import enter_domain, node_commands, STARTUP_PATIENCE
from obai_ros.demo.processes import Supervisor
from obai_ros.demo.records import Frame
from obai_ros.messages import image
from obai_ros.model.pixels import to_picture
from obai_ros.msg import Goal
from obai_ros.nodes import goal_messages
from obai_ros.nodes.demo_node import LoopBroken, open_demo_node


def play_through_nodes(task: Task, steps: int, checkpoint: Path, goal_bank: Path, seed: int,
                       filter_seed: int, domain: int, logs: Path, progress
                       ) -> list[tuple[Frame, ...]]:
    """
    Play episodes 1, 2, ... of a task, as `sample_task` draws them with this seed; return frames.

    task: without episode 0, which is the scene that the simulator shows while the nodes find each
    other. filter_seed: of perception's noise. logs: folder for what the nodes say. progress(n) is
    called with the number of episodes played. Raises RuntimeError when the loop breaks.
    """
    if task.number.tolist() != list(range(1, task.batch + 1)):
        raise ValueError(f'episodes {task.number.tolist()} were given, expected 1, 2, ...')
    environment = enter_domain(domain)
    size = task.config.image_size
    played = []
    with Supervisor(logs) as supervisor:
        # Computed as in the batch: rounded otherwise, the same episode soon is another.
        commands = node_commands(checkpoint, 'cpu', seed, size, filter_seed, 'float32',
                                 'reference', goal_bank)
        for node, command in commands.items():
            supervisor.start(node, command, environment)
        try:
            with open_demo_node(domain, supervisor.check) as node:
                node.wait_for_loop(STARTUP_PATIENCE)
                for episode in range(task.batch):
                    first, later = _messages(task, episode)
                    played.append(node.play([Goal(), *first], later, steps, lambda *_: None))
                    progress(episode + 1)
        except LoopBroken as broken:
            raise RuntimeError(f'{broken}{supervisor.quote(broken.culprit)}') from None
    return played


def _messages(task: Task, episode: int) -> tuple[list[Goal], list[Goal]]:
    """Return the goals to be asked for before an episode, and after its first frame."""
    first, later = [], []
    for goal in requests(task, episode):
        message = goal_messages.write(goal)
        if task.kind == 'image':
            message.image = image.from_numpy(to_picture(task.image[episode]), 'rgb8', Image())
        (later if goal.needs_sight else first).append(message)
    return first, later
