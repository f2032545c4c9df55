# SPDX-License-Identifier: Apache-2.0
"""`obai control`: how well goals are reached from pixels, as a number."""
from __future__ import annotations

import argparse
from dataclasses import replace
import sys
import time
from pathlib import Path

from obai_ros.arguments import (
    add_checkpoint, add_device, add_nodes, add_photographs, add_threads, output_file, positive,
    seed, use_threads)

SUMMARY = 'measure closed-loop control over many episodes, without ROS or through its nodes'

FILMED = 4  # episodes


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--task', choices=('gather', 'single', 'sort', 'image'), default='gather',
                        help='gather: all objects to one point; single: one, the others left '
                        'alone; sort: each shape to its own point; image: as in a picture '
                        '(default: %(default)s)')
    parser.add_argument('--planner', default='feef', metavar='NAME[,NAME...]',
                        help='feef, eq14 (from pixels), oracle (true states), none; several play '
                        'the same episodes (default: %(default)s)')
    parser.add_argument('--episodes', type=positive, default=200, help='default: %(default)s')
    parser.add_argument('--steps', type=positive, default=20,
                        help='actions per episode (default: %(default)s)')
    parser.add_argument('--delay', type=int, default=0, metavar='FRAMES',
                        help='carry out what is decided from pixels so many frames later, 0 to '
                        '10, and plan for that (default: %(default)s)')
    parser.add_argument('--seed', type=seed, default=0,
                        help='of scenes and goals (default: %(default)s)')
    add_photographs(parser)
    add_checkpoint(parser)
    parser.add_argument('--bank', type=Path, help='goal bank (default: beside the weights)')
    parser.add_argument('--batch', type=positive, default=25,
                        help='episodes at once (default: %(default)s)')
    add_device(parser)
    add_threads(parser)
    parser.add_argument('--json', type=output_file, metavar='FILE',
                        help='write the figures to this file')
    parser.add_argument('--plot', type=output_file, metavar='FILE',
                        help='draw distance against time with quartiles, PNG')
    parser.add_argument('--gif', type=output_file, metavar='FILE',
                        help=f'show the first {FILMED} episodes of the first planner that sees '
                        'pixels')
    parser.add_argument('--ros', action='store_true',
                        help='play the episodes (few!) through the real nodes, too, one by one, '
                        'and say whether they went as here; planner feef')
    add_nodes(parser, '--ros', 'out/control/logs')


def run(args: argparse.Namespace) -> int:
    """Play the episodes with each planner; print, and write, the figures."""
    use_threads(args.threads)
    try:
        if args.ros:
            useless = [name for name in ('plot', 'gif', 'delay', 'photographs')
                       if getattr(args, name)]
            if useless or args.planner != 'feef':
                raise ValueError('--ros compares the planner feef with itself: leave out '
                                 f'--{useless[0] if useless else "planner"}')
            return _compare(args)
        figures, results = _benchmark(args)
    except (OSError, ValueError, RuntimeError) as error:
        print(f'obai control: {error}', file=sys.stderr)
        return 2
    for planner, values in figures.items():
        _print(planner, values)
    # One planner: its figures as they are. Several: by name.
    _write(args.json, next(iter(figures.values())) if len(figures) == 1 else figures)
    if args.plot:
        from obai_ros.control.figure import draw

        draw(args.plot, args.task, results)
    return 0


def _benchmark(args) -> tuple[dict, dict]:
    """Return figures and episodes by planner."""
    from obai_ros.control.benchmark import check_planner, FROM_PIXELS, make_pilot, play_in_parts
    from obai_ros.control.film import Camera
    from obai_ros.control.measures import answers, summarise
    from obai_ros.control.task import sample_task
    from obai_ros.environment.photograph import in_any_colours
    from obai_ros.environment.scene import SceneConfig
    from obai_ros.model.device import choose_device
    from obai_ros.planning.planner import PlannerConfig
    from obai_ros.training.scenes import scenes_of

    planners = args.planner.split(',')
    for planner in planners:
        check_planner(planner)
    filmed = next((planner for planner in planners if planner in FROM_PIXELS), None)
    if args.gif and filmed is None:
        raise ValueError(f'--gif shows what a planner sees; none of {args.planner} sees pixels')
    checkpoint = bank = None
    config, scene = PlannerConfig(delay=args.delay), SceneConfig()
    # Who is told the truth needs no model, but one that is named says what the scenes are like.
    choose_device(args.device)
    if filmed or args.checkpoint or args.bank:
        _, checkpoint, bank = _model(args, filmed or args.bank)
        scene = scenes_of(checkpoint)
        config = replace(config, state_noise=checkpoint.config.sigma_s)
    if args.photographs:
        scene = in_any_colours(scene)
    task = sample_task(args.task, scene, args.episodes, args.seed, args.photographs)
    figures, results = {}, {}
    for planner in planners:
        started = time.monotonic()
        pilot = make_pilot(planner, config, checkpoint, bank)
        camera = Camera(FILMED) if args.gif and planner == filmed else lambda *_: None
        results[planner] = play_in_parts(task, pilot, args.steps, args.batch, _progress(planner),
                                         camera)
        if planner == filmed and args.gif:
            from obai_ros.demo.animation import write_gif

            write_gif(args.gif, camera.reels(task))
        figures[planner] = {
            'task': args.task, 'planner': planner, 'seed': args.seed,
            'model_id': checkpoint.model_id if planner in FROM_PIXELS else None,
            **summarise(results[planner]), **answers(pilot), 'wall_s': time.monotonic() - started}
    return figures, results


def _compare(args) -> int:
    """Play a few episodes through the nodes and in a batch; return 0 if they agree, else 1."""
    from obai_ros.control.agreement import compare, positions
    from obai_ros.control.benchmark import make_pilot, play_in_parts
    from obai_ros.control.measures import answers
    from obai_ros.control.model_pilot import SEED
    from obai_ros.control.task import sample_task
    from obai_ros.demo.domain import claim_domain, Domain
    from obai_ros.environment.scene import SceneConfig
    from obai_ros.planning.planner import PlannerConfig

    use_threads(1)  # as in the nodes: more of them sum in another order
    paths, checkpoint, bank = _model(args)
    scene = SceneConfig(image_size=checkpoint.config.image_size)
    task = sample_task(args.task, scene, args.episodes + 1, args.seed).part(1, args.episodes + 1)
    with (claim_domain() if args.domain is None else Domain(args.domain)) as domain:
        from obai_ros.nodes.control_loop import play_through_nodes

        played = play_through_nodes(task, args.steps, *paths, args.seed, SEED, domain.number,
                                    args.logs, _progress('nodes'))
    pilot = make_pilot('feef', PlannerConfig(state_noise=checkpoint.config.sigma_s), checkpoint,
                       bank)
    batch = play_in_parts(task, pilot, args.steps, 1, _progress('batch'))
    pushes = sum(len(frame.arrows[0]) for frames in played for frame in frames[:-1])
    figures = {'task': args.task, 'seed': args.seed, 'model_id': checkpoint.model_id,
               'pushes': pushes, **answers(pilot),
               **compare(positions(played), batch.position, task.goal, task.targeted)}
    final = figures['final_distance_px']
    print(f'{args.task}: {figures["agreeing"]} of {args.episodes} episodes went through the nodes '
          f'as in the batch, within {figures["tolerance_px"]:g} px; median final distance '
          f'{final["nodes"]:.1f} px and {final["batch"]:.1f} px; furthest apart '
          f'{max(figures["deviation_px"]):.3g} px{_refused(figures)}')
    _write(args.json, figures)
    return 0 if figures['agree'] else 1


def _write(path: Path | None, figures: dict) -> None:
    if path:
        from obai_ros.whole_file import write_json

        write_json(path, figures)


def _model(args, with_bank=True):
    """Return the paths of weights and bank, the checkpoint, and the bank, None without it."""
    from obai_ros.model.checkpoint import checkpoint_path, load_checkpoint
    from obai_ros.model.device import choose_device
    from obai_ros.planning.bank_command import beside
    from obai_ros.planning.goal_bank import GoalBank

    weights = checkpoint_path(args.checkpoint)
    checkpoint = load_checkpoint(weights, choose_device(args.device))
    path = args.bank or beside(weights)
    bank = GoalBank.load(path, checkpoint.model_id, weights) if with_bank else None
    return (weights.resolve(), path.resolve()), checkpoint, bank


def _progress(planner: str):
    """Return what shows, now and then, how many episodes are finished."""
    printed = time.monotonic()

    def show(episodes: int) -> None:
        nonlocal printed
        if time.monotonic() - printed > 10:
            printed = time.monotonic()
            print(f'{planner}: {episodes} episodes', file=sys.stderr, flush=True)

    return show


def _print(planner: str, values: dict) -> None:
    final, settle = values['final_distance_px'], values['settle_steps']
    settled = '-' if settle['median'] is None else f'{settle["median"]:g} steps'
    print(f'{planner:>6}: success {values["success_rate_4px"]:.1%} within 4 px, '
          f'{values["success_rate_2px"]:.1%} within 2 px; final distance {final["median"]:.1f} px '
          f'(90 %: {final["p90"]:.1f}); settled {settled}; wrong pushes '
          f'{values["wrong_push_rate"]:.1%}; {values["wall_s"]:.0f} s{_refused(values)}')


def _refused(values: dict) -> str:
    """Return what is said of goals that were refused; '' where none was."""
    if not values['refused_goals']:
        return ''
    return (f'; {values["refused_goals"]} of {values["goals"]} goals were refused, the first: '
            f'{values["first_refusal"]}')
