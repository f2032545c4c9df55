# SPDX-License-Identifier: Apache-2.0
"""`obai demo` as a user starts it, with random weights: what it writes, and how it ends."""
from contextlib import contextmanager
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

import cv2
import pytest

pytest.importorskip('rclpy')

from obai_ros.model.checkpoint import load_checkpoint  # noqa: E402
from obai_ros.planning.goal_bank import GoalBank  # noqa: E402
from PIL import Image  # noqa: E402
import torch  # noqa: E402

PATIENCE = 240.0
NODES = {'sim_node', 'perception_node', 'planner_node'}


@pytest.fixture(scope='session')
def checkpoint(weights):
    """Return random weights with goals that fit them."""
    path = Path(weights)
    loaded = load_checkpoint(path)
    side, latents, count = loaded.config.image_size, loaded.config.latent_size, 4000
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.rand(shape, generator=generator)
    GoalBank(position=side * random(count, 2), shape=torch.zeros(count, dtype=torch.int64),
             colour=random(count, 3), size=10 * random(count), orientation=random(count),
             mean=random(count, latents), sd=0.1 + random(count, latents),
             traits=random(count, 11), model_id=loaded.model_id, image_size=(side, side),
             shapes=('square',)).save(path.with_suffix('.goals.safetensors'))
    return path


@contextmanager
def demos(checkpoint, folder):
    """Give a function that starts `obai demo` with further arguments; end them afterwards."""
    started = []

    def start(*arguments):
        demo = subprocess.Popen(
            [sys.executable, '-m', 'obai_ros.cli', 'demo', '--checkpoint', str(checkpoint),
             '--out', str(folder / 'out'), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            # A shell makes its background jobs ignore SIGINT; as a user starts it, it is heard.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        started.append(demo)
        return demo
    try:
        yield start
    finally:
        for demo in started:
            if demo.poll() is None:
                demo.kill()  # its children end with it
            demo.communicate()


@pytest.fixture
def start(checkpoint, tmp_path):
    """Return a function that starts `obai demo` with further arguments."""
    with demos(checkpoint, tmp_path) as start:
        yield start


SHORT = '--episodes', '2', '--steps', '10', '--seed', '4'


@pytest.fixture(scope='module')
def short(checkpoint, tmp_path_factory):
    """Return the folder of an undisturbed run of SHORT, and what was said; it has copy.json."""
    folder = tmp_path_factory.mktemp('short')
    with demos(checkpoint, folder) as start:
        demo = start(*SHORT, '--json', str(folder / 'copy.json'))
        output, errors = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 0, output + errors
    return folder, output


def _children(lines):
    """Return {name of the node: process id} of the living nodes of the demo that said so."""
    mark = re.search(r'ROS_DOMAIN_ID=\d+', ''.join(lines)).group().encode()
    found = {}
    for process in Path('/proc').iterdir():
        try:
            if mark in (process / 'environ').read_bytes().split(b'\0'):
                command = (process / 'cmdline').read_bytes().decode()
                for name in NODES:
                    if f'/{name}\0' in command:
                        found[name] = int(process.name)
        except (NotADirectoryError, FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def _read_until(demo, pattern):
    """Return the output up to the first line that matches."""
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if re.search(pattern, line):
            return lines
    pytest.fail(f'no line like {pattern!r} in {lines}; {demo.stderr.read()}')


def test_two_short_episodes(short):
    folder, output = short
    assert re.search(r'episode +2/2: .* px to the goal', output)
    assert 'median distance to the goal after 10 steps' in output
    out = folder / 'out'
    metrics = json.loads((out / 'metrics.json').read_text())
    assert metrics == json.loads((folder / 'copy.json').read_text())
    assert (metrics['episodes'], metrics['steps'], metrics['seed']) == (2, 10, 4)
    assert metrics['objects'] == 6 and metrics['checkpoint'] == 'smoke.safetensors'
    assert re.fullmatch('[0-9a-f]{16}', metrics['model_id'])
    assert len(metrics['distance_px_per_step']['planner']) == 11
    assert metrics['frames_per_s'] > 1
    assert 0 < metrics['time_to_first_episode_s'] < metrics['wall_s']
    assert metrics['memory_mb'].keys() == NODES
    assert all(10 < mb < 800 for mb in metrics['memory_mb'].values())
    assert metrics['memory_growth'].keys() == NODES
    assert all(0 <= growth < 0.1 for growth in metrics['memory_growth'].values())
    with Image.open(out / 'closed_loop.gif') as gif:
        assert gif.n_frames == 22
    assert cv2.imread(str(out / 'closed_loop.png')) is not None
    assert not [path for path in out.iterdir() if path.name.startswith('.')]
    assert _children(output) == {}


@pytest.mark.long
def test_the_same_seed_gives_the_same_episodes_however_long_an_answer_takes(
        start, short, tmp_path):
    """A busy machine is one that stops a node for longer than any timeout of its peers."""
    disturbed = start(*SHORT, '--json', str(tmp_path / 'other.json'))
    lines = _read_until(disturbed, r'episode +1/2')
    perception = _children(lines)['perception_node']
    os.kill(perception, signal.SIGSTOP)
    time.sleep(6.0)  # the simulator's own patience is 5 s
    os.kill(perception, signal.SIGCONT)
    assert disturbed.wait(PATIENCE) == 0
    one, other = (json.loads(path.read_text()) for path in (
        short[0] / 'copy.json', tmp_path / 'other.json'))
    assert one['distance_px_per_step'] == other['distance_px_per_step']


@pytest.mark.long  # that domains are claimed one by one is tried in test/demo
def test_two_demos_side_by_side(start, tmp_path):
    demos = [start('--episodes', '1', '--steps', '3', '--out', str(tmp_path / name))
             for name in 'ab']
    outputs = [''.join(demo.communicate(timeout=PATIENCE)) for demo in demos]
    assert [demo.returncode for demo in demos] == [0, 0], '\n'.join(outputs)
    domains = {re.search(r'ROS_DOMAIN_ID=(\d+)', output).group(1) for output in outputs}
    assert len(domains) == 2


@pytest.mark.parametrize('number, code', [
    (signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long)])
def test_ended_by_a_signal_it_leaves_no_child_behind(start, tmp_path, number, code):
    demo = start('--episodes', '1000', '--steps', '2')
    lines = _read_until(demo, r'episode +1/1000')
    assert _children(lines).keys() == NODES
    demo.send_signal(number)
    _, errors = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == code, errors
    assert 'Traceback' not in errors
    assert _children(lines) == {}
    # A node that is interrupted ends well, too.
    assert 'Traceback' not in ''.join(
        log.read_text() for log in (tmp_path / 'out' / 'logs').glob('*_node.log'))


def test_a_killed_node_is_named(start):
    demo = start('--episodes', '1000', '--steps', '2')
    lines = _read_until(demo, r'episode +1/1000')
    os.kill(_children(lines)['perception_node'], signal.SIGKILL)
    _, errors = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 1
    assert 'perception_node was ended by SIGKILL. Its last lines:' in errors
    assert 'Traceback' not in errors
    assert _children(lines) == {}


def test_a_device_that_is_not_there_is_said_at_once(start):
    demo = start('--device', 'cuda:77')
    output, errors = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 1
    assert 'perception_node failed while configuring' in errors and 'cuda:77' in errors
    assert _children(output) == {}


def test_weights_that_are_not_there_are_one_sentence(start, tmp_path):
    demo = start('--checkpoint', str(tmp_path / 'none.safetensors'))
    _, errors = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 1
    assert errors.startswith('obai demo: ') and 'none.safetensors does not exist' in errors
    assert errors.count('\n') == 1
