# SPDX-License-Identifier: Apache-2.0
"""What a series of closed-loop episodes amounts to: figures and the curve of distances."""
from __future__ import annotations

import numpy as np
import torch

from obai_ros.action_field import ActionField
from obai_ros.chart import BLUE, chart, draw_quartiles, GREY, write_png
from obai_ros.demo.records import Episode, distances
from obai_ros.environment.scene import Scene, step


def coast(position: np.ndarray, velocity: np.ndarray, steps: int) -> np.ndarray:
    """
    Return where objects would have been had nobody pushed them, [steps + 1, O, 2] px.

    position, velocity: [O, 2] at frame 0, px and px/frame. This is the environment's own dynamics
    with empty action fields, and exact: objects neither collide nor slow down, and only an action
    makes an outcome depend on what is visible.
    """
    nothing = torch.zeros(1, len(position))
    scene = Scene(
        shape=nothing.long(), size=nothing, orientation=nothing,
        position=torch.as_tensor(position, dtype=torch.float32)[None],
        velocity=torch.as_tensor(velocity, dtype=torch.float32)[None],
        colour=nothing[..., None].expand(-1, -1, 3), background=nothing[:, 0])
    labels, action = torch.zeros(1, 1, 1, dtype=torch.uint8), ActionField.empty(1, 1, 1)
    path = [scene]
    for _ in range(steps):
        path.append(step(path[-1], labels, action))
    return torch.cat([scene.position for scene in path]).numpy()


def planned_distances(episodes: list[Episode]) -> np.ndarray:
    """Return the distances to the goal, [S + 1, E * O] px: one column per object and episode."""
    return np.concatenate([episode.distances() for episode in episodes], axis=1)


def coasting_distances(episodes: list[Episode]) -> np.ndarray:
    """Return the same as `planned_distances` for the same scenes without any action."""
    columns = []
    for episode in episodes:
        first = episode.frames[0]
        path = coast(first.position, first.velocity, episode.steps)
        columns.append(distances(path, episode.goal))
    return np.concatenate(columns, axis=1)


def frame_rate(episodes: list[Episode]) -> float:
    """Return frames per second within the episodes; resets between them do not count."""
    seconds = sum(episode.frames[-1].time - episode.frames[0].time for episode in episodes)
    return sum(episode.steps for episode in episodes) / seconds if seconds > 0 else float('nan')


def summarise(episodes: list[Episode]) -> dict:
    """
    Return the figures of the episodes, ready for JSON.

    Every object of every episode counts once, also one that cannot be seen (an object may have
    the background's colour, or be hidden by another): that is part of the task. Distances in px.
    """
    planned, coasting = planned_distances(episodes), coasting_distances(episodes)
    ratio = float(np.median(planned[-1]) / np.median(coasting[-1]))
    return {
        'episodes': len(episodes),
        'steps': episodes[0].steps,
        'objects': planned.shape[1],
        'final_distance_px': {
            'planner': _quantiles(planned[-1]),
            'no_action': _quantiles(coasting[-1]),
            'ratio_of_medians': ratio,
        },
        'within_4px_fraction': {
            'planner': float((planned[-1] <= 4).mean()),
            'no_action': float((coasting[-1] <= 4).mean()),
        },
        'distance_px_per_step': {
            'planner': [_quantiles(row) for row in planned],
            'no_action': [_quantiles(row) for row in coasting],
        },
        'frames_per_s': frame_rate(episodes),
    }


def _quantiles(values: np.ndarray) -> dict[str, float]:
    names = {'p25': 25, 'median': 50, 'p75': 75, 'p90': 90}
    return {name: float(np.percentile(values, q)) for name, q in names.items()}


def draw_distances(path, episodes: list[Episode]) -> None:
    """Draw the distance to the goal per step, with and without the planner, as a PNG file."""
    planned, coasting = planned_distances(episodes), coasting_distances(episodes)
    last = len(planned) - 1
    figure, ((axes,),) = chart(6.4, 4.0)
    for values, colour, name in ((coasting, GREY, 'no action'),
                                 (planned, BLUE, 'with the planner')):
        draw_quartiles(axes, values, colour)
        median = np.median(values[-1])
        axes.annotate(f'{name}\n{median:.1f} px', (last, median), xytext=(6, 0),
                      textcoords='offset points', color=colour, va='center', fontsize=9)
    axes.set_xlim(0, last)
    axes.set_ylim(0, None)
    axes.set_xlabel('step')
    axes.set_ylabel('distance to the goal (px)')
    axes.set_title(f'{len(episodes)} episodes, {planned.shape[1]} objects: '
                   'median and quartiles', fontsize=10, loc='left')
    write_png(path, figure)
