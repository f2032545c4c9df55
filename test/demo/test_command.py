# SPDX-License-Identifier: Apache-2.0
"""The command `obai demo` apart from the nodes: arguments, what it shows, what it writes."""
import argparse
import io
import json

from obai_ros.commands import demo
import pytest
from rich.console import Console


def _parse(*words):
    parser = argparse.ArgumentParser()
    demo.configure(parser)
    return parser.parse_args(words)


def test_the_defaults_are_the_published_experiment():
    args = _parse()
    assert (args.episodes, args.steps, args.seed, str(args.out)) == (20, 15, 0, 'out/demo')
    assert args.checkpoint is None and args.domain is None and args.json is None


@pytest.mark.parametrize('words', [
    ('--episodes', '0'), ('--steps', 'many'), ('--seed', '-1'), ('--seed', '2147483648'),
    ('--domain', '233'), ('--domain', '-1')])
def test_wrong_values_are_refused_by_name(words, capsys):
    with pytest.raises(SystemExit):
        _parse(*words)
    assert f'argument {words[0]}: {words[1]!r} is not a' in capsys.readouterr().err


def test_every_argument_is_explained():
    parser = argparse.ArgumentParser()
    demo.configure(parser)
    for action in parser._actions:
        assert action.help, action.option_strings


def test_without_a_terminal_there_is_one_line_per_episode(episodes):
    output = io.StringIO()
    with demo._Progress(Console(file=output, width=200), 2, 15) as progress:
        for episode in episodes[:2]:
            progress.begin(episode.goal)
            for step, frame in enumerate(episode.frames):
                progress.step(step, frame)
            progress.end(episode)
    lines = output.getvalue().splitlines()
    assert [line.split(':')[0] for line in lines if line] == ['episode  1/2', 'episode  2/2']
    assert 'px to the goal, without action' in lines[0] and '10.0 frames/s' in lines[0]


def test_in_a_terminal_the_frames_count_up(episodes):
    output = io.StringIO()
    console = Console(file=output, width=200, force_terminal=True)
    with demo._Progress(console, 1, 15) as progress:
        progress.begin(episodes[0].goal)
        for step, frame in enumerate(episodes[0].frames):
            progress.step(step, frame)
        progress.end(episodes[0])
    assert 'episode 1/1 step 15/15' in output.getvalue()


def test_the_report_is_three_files_and_the_figures(episodes, tmp_path):
    output = io.StringIO()
    args = _parse('--out', str(tmp_path / 'out'), '--json', str(tmp_path / 'copy.json'))
    facts = {'seed': 7, 'memory_mb': {'sim_node': 123.4}, 'time_to_first_episode_s': 8.7}
    demo._report(args, Console(file=output, width=200), episodes, facts)
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'closed_loop.gif', 'closed_loop.png', 'metrics.json']
    metrics = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    assert metrics == json.loads((tmp_path / 'copy.json').read_text())
    assert metrics['seed'] == 7 and metrics['memory_mb'] == {'sim_node': 123.4}
    text = output.getvalue()
    for kind in ('planner', 'no_action'):
        assert f'{metrics["final_distance_px"][kind]["median"]:.1f} px' in text
    assert 'sim_node 123 MB' in text and '9 s to the first episode' in text
