# SPDX-License-Identifier: Apache-2.0
"""`obai run`: the node takes the place of the command."""

import signal
import sys

from harness import NodeProcess
from obai_ros import cli
from obai_ros.commands.run import refuse
from obai_ros.demo.installation import executables
from obai_ros.transport import CHOICES, PROFILES
import pytest

if not executables():
    pytest.skip('the nodes are not installed', allow_module_level=True)


class Command(NodeProcess):
    """`obai run` with these arguments, as a process."""

    def __init__(self, log, *arguments):
        self.begin('obai run', log, [sys.executable, '-m', 'obai_ros.cli', 'run', *arguments])


@pytest.fixture
def run(domain, tmp_path):
    """Return run(*arguments): a Command that does not outlive the test."""
    started = []

    def start(*arguments):
        started.append(Command(tmp_path / f'{len(started)}.log', *arguments))
        return started[-1]
    yield start
    for command in started:
        command.kill()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_node_runs_with_its_arguments_until_a_signal_comes(client, run, number):
    command = run('sim_node', '--ros-args', '-p', 'seed:=7', '-r', '__ns:=/x')
    assert client.parameters('/x/sim_node')['seed'] == 7
    assert command.stop(number)[0] == 0


def test_its_exit_status_is_that_of_the_command(run):
    command = run('sim_node', '--ros-args', '-p', 'image_size:=5')
    assert command.wait() == 2
    assert command.says('image_size is 5, expected an integer in')


def test_it_is_given_the_transport_of_launch_files(run, monkeypatch):
    for choice in CHOICES:
        monkeypatch.delenv(choice, raising=False)
    given = {}
    monkeypatch.setattr('os.execve', lambda path, words, environment: given.update(environment))
    cli.main(['run', 'sim_node'])
    assert given[PROFILES].endswith('config/fastdds.xml')


def test_what_cannot_be_run_is_refused(capsys):
    assert cli.main(['run', 'fly_node']) == 2
    said = capsys.readouterr().err
    assert said.startswith("obai run: there is no node 'fly_node', expected one of camera_node, ")
    assert cli.main(['run', 'sim_node', '-p', 'rate:=5.0']) == 2
    assert '-p rate:=5.0 says nothing to sim_node: expected --ros-args' in capsys.readouterr().err
    assert refuse('sim_node', ['--ros-args'], ['sim_node']) == ''
    assert refuse('sim_node', [], []) == ''  # not installed, of which there is more to say
