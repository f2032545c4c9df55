# SPDX-License-Identifier: Apache-2.0
"""`obai goal` and `obai reset` beside running nodes."""

import signal

import cv2
import numpy as np
from obai_ros import cli
from obai_ros.commands.goal import read_picture
import pytest

pytest.importorskip('rclpy')

from obai_ros.msg import Goal  # noqa: E402
from obai_ros.nodes import goal_request, service_call  # noqa: E402
from obai_ros.srv import SetGoal  # noqa: E402


@pytest.fixture
def asked(monkeypatch):
    """Return the goals that were asked for, of a planner that takes them all."""
    goals = []

    def call(kind, node, service, request, stop):
        goals.append(request.goal)
        return kind.Response(success=True, message=f'{node}/{service}')
    monkeypatch.setattr(goal_request, 'call', call)
    return goals


@pytest.mark.parametrize('words, fields', [
    ('none', {'kind': Goal.NONE}),
    ('all 20 40', {'kind': Goal.ALL, 'x': 20., 'y': 40.}),
    ('all --also 20 40.5', {'kind': Goal.ALL, 'x': 20., 'y': 40.5, 'also': True}),
    ('all -3 40', {'kind': Goal.ALL, 'x': -3., 'y': 40.}),
    ('object 50 12 20 40 --spread 3', {
        'kind': Goal.OBJECT, 'u': 50., 'v': 12., 'x': 20., 'y': 40., 'spread': 3.}),
    ('class 1 2 --shape heart --colour 1 0 0.5 --size 5 9', {
        'kind': Goal.CLASS, 'x': 1., 'y': 2., 'shape': 'heart', 'colour': [1., 0., .5],
        'size_min': 5., 'size_max': 9.})])
def test_words_become_a_goal(asked, capsys, words, fields):
    assert cli.main(['goal', *words.split(), '--node', '/x/planner']) == 0
    assert asked == [Goal(**fields)]
    assert capsys.readouterr().out == '/x/planner/set_goal\n'


def test_a_picture_is_sent_as_it_is_unless_it_is_large(asked, tmp_path):
    colours = np.random.default_rng(0).integers(256, size=(48, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'goal.png'), colours)
    assert cli.main(['goal', 'picture', str(tmp_path / 'goal.png'), '--partial']) == 0
    goal = asked[0]
    assert (goal.kind, goal.partial, goal.image.encoding) == (Goal.IMAGE, True, 'rgb8')
    assert bytes(goal.image.data) == colours[..., ::-1].tobytes()
    cv2.imwrite(str(tmp_path / 'large.png'), np.repeat(np.repeat(colours, 20, 0), 20, 1))
    small = read_picture(tmp_path / 'large.png')
    assert small.shape == (320, 426, 3)


@pytest.mark.parametrize('words, said', [
    (['all', '20'], 'required: Y'), (['all', 'here', '4'], "'here' is not a number from"),
    (['class', '2', '4', '--colour', '2', '0', '0'], "'2' is not a number from 0 to 1"),
    (['everything'], "invalid choice: 'everything'")])
def test_what_is_no_goal_is_refused(capsys, words, said):
    with pytest.raises(SystemExit) as end:
        cli.main(['goal', *words])
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_what_is_no_picture_is_refused(tmp_path, capsys):
    (tmp_path / 'text.png').write_text('no picture')
    for name, said in (('text.png', 'cannot be read'), ('none.png', 'does not exist')):
        assert cli.main(['goal', 'picture', str(tmp_path / name)]) == 2
        assert f'{name} {said}: expected a picture' in capsys.readouterr().err


def test_a_planner_takes_or_refuses_a_goal(client, start_node, weights, capsys):
    start_node('planner_node', {'__ns': '/x'}, checkpoint=weights)
    goal = ['goal', 'all', '--node', '/x/planner_node']
    assert cli.main([*goal, '16', '12']) == 0
    assert capsys.readouterr().out == 'all objects to (16, 12) px\n'
    assert cli.main([*goal, '16', '99']) == 1
    assert 'outside the image, which is 32 px wide' in capsys.readouterr().err


def test_the_simulator_begins_a_new_scene(start_node, capsys):
    start_node('sim_node', wait_for_agent=False)
    assert cli.main(['reset']) == 0
    assert capsys.readouterr().out == 'episode 1 has begun\n'


def test_who_finds_nobody_is_told_what_to_check(client, monkeypatch, capsys):
    monkeypatch.setattr(service_call, 'APPEARS', 1.)
    client.node.create_service(SetGoal, '/robot/planner_node/set_goal', lambda *_: None)
    assert cli.main(['goal', 'none']) == 2
    said = capsys.readouterr().err
    assert 'obai goal: nobody offers /planner_node/set_goal in ROS domain' in said
    assert 'is /planner_node running' in said
    assert said.endswith('There is /robot/planner_node: --node chooses it\n')
    assert cli.main(['goal', 'none', '--node', 'not so']) == 2
    assert 'topic name must not contain' in capsys.readouterr().err


def test_who_gets_no_answer_is_told_so_or_may_give_up(client, monkeypatch, capsys):
    monkeypatch.setattr(service_call, 'AGAIN', .2)
    monkeypatch.setattr(service_call, 'ANSWERS', .4)
    client.node.create_service(SetGoal, '/planner_node/set_goal', lambda *_: None)
    assert cli.main(['goal', 'none']) == 2
    assert '/planner_node/set_goal is offered, but has not answered' in capsys.readouterr().err
    monkeypatch.setattr(service_call, '_serve', lambda *_: signal.raise_signal(signal.SIGINT))
    assert cli.main(['goal', 'none']) == 130
