# SPDX-License-Identifier: Apache-2.0
"""`obai demo`: the closed loop in separate processes, from nothing to figures."""
from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from obai_ros.arguments import (
    add_checkpoint, add_device, domain, output_file, output_folder, seed, whole)

SUMMARY = 'run the closed loop of ROS 2 nodes and report how well objects reach their goals'

GIF_EPISODES = 4


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    number = whole(1, 10**6, 'a number of them')
    parser.add_argument('--episodes', type=number, default=20, help='default: %(default)s')
    parser.add_argument('--steps', type=number, default=15,
                        help='actions per episode (default: %(default)s)')
    parser.add_argument('--seed', type=seed, default=0,
                        help='of scenes and goals (default: %(default)s)')
    add_checkpoint(parser)
    add_device(parser)
    parser.add_argument('--out', type=output_folder, default=Path('out/demo'),
                        help='folder for metrics.json, closed_loop.gif, closed_loop.png and the '
                        'logs of the nodes (default: %(default)s)')
    parser.add_argument('--json', type=output_file, metavar='FILE',
                        help='write the figures to this file, too')
    parser.add_argument('--domain', type=domain, metavar='ID',
                        help='ROS_DOMAIN_ID (default: one that is free on this machine)')


def run(args: argparse.Namespace) -> int:
    """Run the demo; return 0, or 1 after saying on standard error what went wrong."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit_on_signal)  # so that the children are ended then, too
    try:
        return _demonstrate(args)
    except _expected_errors() as error:
        print(f'obai demo: {error}', file=sys.stderr)
        return 1


def _demonstrate(args) -> int:
    from rich.console import Console

    started = time.monotonic()
    console = Console(highlight=False, soft_wrap=True)
    checkpoint, image_size = _checkpoint(args.checkpoint)
    with _domain(args.domain) as domain:
        console.print(f'{checkpoint.name}: {args.episodes} episodes of {args.steps} steps, '
                      f'ROS_DOMAIN_ID={domain.number}, logs in {args.out}/logs')
        episodes, facts = _play(args, console, domain.number, checkpoint, image_size, started)
    _report(args, console, episodes, {'seed': args.seed, 'checkpoint': checkpoint.name, **facts,
                                      'wall_s': time.monotonic() - started})
    return 0


def _play(args, console, domain: int, checkpoint: Path, image_size: int, started: float):
    """Start the nodes, run the episodes, end the nodes; return the episodes and facts."""
    from obai_ros.demo.loop import enter_domain, node_commands, STARTUP_PATIENCE
    from obai_ros.demo.processes import Supervisor
    from obai_ros.demo.records import sample_goals

    environment = enter_domain(domain)
    episodes, at_first = [], {}
    with Supervisor(args.out / 'logs') as supervisor:
        commands = node_commands(checkpoint, args.device, args.seed, image_size)
        for node, command in commands.items():
            supervisor.start(node, command, environment)
        from obai_ros.nodes.demo_node import LoopBroken, open_demo_node
        try:
            with (open_demo_node(domain, supervisor.check) as node,
                  _Progress(console, args.episodes, args.steps) as progress):
                node.wait_for_loop(STARTUP_PATIENCE)
                until_first = time.monotonic() - started
                for goal in sample_goals(args.episodes, image_size, image_size, args.seed):
                    progress.begin(goal)
                    episode = node.run_episode(goal, args.steps, progress.step)
                    progress.end(episode)
                    filmed = len(episodes) < GIF_EPISODES
                    episodes.append(episode if filmed else episode.without_pictures())
                    at_first = at_first or supervisor.memory()
                model_id = node.model_id
        except LoopBroken as broken:
            raise RuntimeError(f'{broken}{supervisor.quote(broken.culprit)}') from None
        memory = supervisor.memory()
        growth = {name: mb / at_first[name] - 1 for name, mb in memory.items()}
    return episodes, {'model_id': model_id, 'time_to_first_episode_s': until_first,
                      'memory_mb': memory, 'memory_growth': growth}


def _report(args, console, episodes: list, facts: dict) -> None:
    """Write the files and print the figures."""
    from obai_ros.demo.animation import reels, write_gif
    from obai_ros.demo.report import draw_distances, summarise
    from obai_ros.whole_file import write_json

    metrics = {**summarise(episodes), **facts}
    write_gif(args.out / 'closed_loop.gif', reels(episodes[:GIF_EPISODES]))
    draw_distances(args.out / 'closed_loop.png', episodes)
    for path in filter(None, (args.out / 'metrics.json', args.json)):
        write_json(path, metrics)
    final = metrics['final_distance_px']
    memory = ', '.join(f'{name} {mb:.0f} MB' for name, mb in metrics['memory_mb'].items())
    console.print(
        f'median distance to the goal after {args.steps} steps: '
        f'[bold]{final["planner"]["median"]:.1f} px[/bold] with the planner, '
        f'{final["no_action"]["median"]:.1f} px without action '
        f'(ratio {final["ratio_of_medians"]:.2f})\n'
        f'{metrics["frames_per_s"]:.1f} frames/s; {facts["time_to_first_episode_s"]:.0f} s to the '
        f'first episode; {memory}\n'
        f'written to {args.out}: metrics.json, closed_loop.gif, closed_loop.png')


class _Progress:
    """What is shown while it runs: a live line in a terminal, and one line for each episode."""

    def __init__(self, console, episodes: int, steps: int):
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = console
        self._episodes = episodes
        self._steps = steps
        self._number = 0
        self._display = Progress(
            TextColumn('{task.description}'), BarColumn(24), TextColumn('{task.fields[figures]}'),
            console=console, transient=True, disable=not console.is_terminal)
        self._task = self._display.add_task('starting the nodes', total=None, figures='')

    def __enter__(self):
        self._display.start()
        return self

    def __exit__(self, *_):
        self._display.stop()

    def begin(self, goal: tuple[float, float]) -> None:
        """Start the next episode."""
        self._number += 1
        self._goal = goal
        self._display.update(self._task, total=self._episodes * (self._steps + 1))

    def step(self, step: int, frame) -> None:
        """Show one frame."""
        from obai_ros.demo.records import distances

        if step == 0:
            self._first = frame.time
        rate = f', {step / (frame.time - self._first):.1f} frames/s' if step else ''
        distance = sorted(distances(frame.position, self._goal))[len(frame.position) // 2]
        self._display.update(
            self._task, advance=1,
            description=f'episode {self._number}/{self._episodes} step {step}/{self._steps}',
            figures=f'{distance:5.1f} px to the goal{rate}')

    def end(self, episode) -> None:
        """Say how the episode went."""
        from obai_ros.demo.report import summarise

        figures = summarise([episode])
        final = figures['final_distance_px']
        start = figures['distance_px_per_step']['planner'][0]
        self._console.print(
            f'episode {self._number:2d}/{self._episodes}: {start["median"]:5.1f} -> '
            f'{final["planner"]["median"]:5.1f} px to the goal, without action '
            f'{final["no_action"]["median"]:5.1f} px; {figures["frames_per_s"]:.1f} frames/s')


def _checkpoint(path: Path | None) -> tuple[Path, int]:
    """Return the weights to use and the side of their images, px."""
    from obai_ros.model.checkpoint import checkpoint_path, load_checkpoint

    path = checkpoint_path(path).resolve()
    # A look at them here, so that a wrong file is one sentence and not a node that does not start.
    return path, load_checkpoint(path).config.image_size


def _domain(number: int | None):
    """Return the domain to use, claimed from other demos unless it was named by the user."""
    from obai_ros.demo.domain import claim_domain, Domain

    return claim_domain() if number is None else Domain(number)


def _expected_errors() -> tuple[type[Exception], ...]:
    """Return what is told in a sentence: all that is not a mistake in this program."""
    from obai_ros.model.checkpoint import CheckpointError

    return CheckpointError, OSError, RuntimeError


def _exit_on_signal(number, frame):
    raise SystemExit(128 + number)
