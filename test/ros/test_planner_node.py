# SPDX-License-Identifier: Apache-2.0
"""planner_node over DDS: the test plays perception."""

import math
import re
import os
import shutil
import signal

import discs
from harness import inside, stamp_of
import numpy as np
from obai_ros.messages import beliefs, image
from obai_ros.msg import ActionField, Goal, PlannerStatus, SlotBeliefs
from obai_ros.nodes import qos
from obai_ros.nodes.planner_node import PlannerNode
from obai_ros.srv import SetGoal
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

SIDE, SLOTS, LATENTS = 32, 4, 8
BACKGROUND, EMPTY = 2, 3
CENTROID = np.array([(5.5, 6.5), (20.5, 8.5), (16., 16.), (9., 9.)])
MASS = np.array([60., 60., 900., 0.])
TRAITS = np.random.default_rng(0).random((SLOTS, beliefs.TRAITS))


def slots(frame, model_id, **changes):
    """Return beliefs about four slots, of which 2 is the background and 3 is empty."""
    generator = np.random.default_rng(frame)
    unsure = np.full((SLOTS, LATENTS), -2.)
    content = {
        'frame': frame, 'model_id': model_id, 'height': SIDE, 'width': SIDE,
        'mean': generator.normal(size=(SLOTS, LATENTS)), 'velocity': np.zeros((SLOTS, LATENTS)),
        'log_sd': unsure, 'velocity_log_sd': unsure, 'centroid': CENTROID,
        'mass': MASS,
        'traits': TRAITS, 'empty': np.arange(SLOTS) == EMPTY,
        'background': BACKGROUND, 'contact_row': np.array([6, 8, 0, 0]),
        'contact_col': np.array([5, 20, 0, 0]), 'contact_probability': np.eye(SLOTS),
        'reachable': np.array([True, True, False, False]), 'free_energy': 1.,
        'slot_free_energy': np.full(SLOTS, .25), 'entropy': np.ones(SLOTS), 'iterations': 4,
        **changes}
    content.setdefault('labels', discs.labels(content['centroid'], content['mass'],
                                              np.arange(SLOTS) < BACKGROUND, SIDE))
    message = beliefs.write(beliefs.Beliefs(**content), SlotBeliefs())
    message.header.stamp.sec = 1 + frame
    message.header.frame_id = 'some_camera'
    return message


@pytest.fixture
def model_id(weights):
    from obai_ros.model.checkpoint import load_checkpoint
    return load_checkpoint(weights).model_id


def start_active(client, start_node, remappings={}, **parameters):
    node = start_node('planner_node', remappings, **parameters)
    client.until(lambda: node.says(r'\bactive: '), 'the planner to become active')
    return node


@pytest.fixture
def planner(client, start_node, weights, model_id):
    """Return ask(frame, **changes): send beliefs and return the answer."""
    node = start_active(client, start_node, checkpoint=weights)
    actions = client.collect(ActionField, 'action_field')
    sender = client.heard_publisher(SlotBeliefs, 'slots')
    client.until(lambda: client.node.count_publishers('action_field'), 'action_field')

    def ask(frame, **changes):
        before = len(actions)
        sender.publish(slots(frame, **{'model_id': model_id, **changes}))
        client.until(lambda: len(actions) > before, f'the answer to frame {frame}')
        return actions[-1]
    ask.node, ask.actions, ask.sender, ask.model_id = node, actions, sender, model_id
    # The first answer may be lost while the two sides still find each other.
    client.until(lambda: sender.publish(slots(0, model_id)) or actions, 'the first answer')
    client.until(lambda: not client.wait(lambda n=len(actions): len(actions) > n, .3), 'silence')
    return ask


def set_goal(client, **fields):
    return client.call(SetGoal, 'planner_node/set_goal', goal=Goal(**fields))


def test_each_message_of_beliefs_is_answered_once(client, planner):
    del planner.actions[:]
    for frame in range(1, 21):
        answer = planner(frame)
        assert answer.header.stamp.sec == 1 + frame
        assert answer.header.frame_id == 'some_camera'
        assert (answer.frame, answer.height, answer.width) == (frame, SIDE, SIDE)
        assert len(answer.row) == 0  # there is no goal
        assert not answer.cut
    stamps = [stamp_of(action) for action in planner.actions]
    assert len(stamps) == len(set(stamps)) == 20


def test_all_objects_are_pushed_at_their_contacts_and_nothing_else(client, planner):
    states = client.collect(Goal, 'goal_state', qos.LATCHED)
    statuses = client.collect(PlannerStatus, 'planner_node/status')
    client.until(lambda: states and client.node.count_publishers('planner_node/status'), 'goals')
    assert states[-1].kind == Goal.NONE
    answer = set_goal(client, kind=Goal.ALL, x=16., y=12.)
    assert answer.success
    assert 'all objects to (16, 12) px' in answer.message
    client.until(lambda: states[-1].kind == Goal.ALL, 'the goal in force')
    action = planner(1)
    assert sorted(zip(action.row, action.col)) == [(6, 5), (8, 20)]
    assert all(0 < abs(value) for value in (*action.ax, *action.ay))
    client.until(lambda: statuses and stamp_of(statuses[-1]) == stamp_of(action), 'the status')
    status = statuses[-1]
    assert list(status.acted) == [True, True, False, False]
    assert [math.isnan(value) for value in status.feef] == [False, False, True, True]
    assert [(x, y) for x, y in zip(status.goal_x, status.goal_y) if x == x] == [(16., 12.)] * 2
    assert [math.isnan(value) for value in status.goal_x] == [False, False, True, True]
    assert (status.goal.kind, status.goal.x, status.goal.y) == (Goal.ALL, 16., 12.)
    assert status.answered == 2
    assert set_goal(client, kind=Goal.NONE).success
    assert len(planner(2).row) == 0


def test_one_object_is_followed_until_the_filter_starts_anew(client, planner):
    states = client.collect(Goal, 'goal_state', qos.LATCHED)
    assert set_goal(client, kind=Goal.OBJECT, x=4., y=4., u=19., v=9.).success
    mean = np.random.default_rng(0).normal(size=(SLOTS, LATENTS))
    place, velocity = CENTROID.astype(float), np.zeros(2)

    def moved(action):
        """Return where things are after what was done about slot 1."""
        velocity[:] += action.ax[0], action.ay[0]
        place[1] += velocity
        return place

    action = planner(1, mean=mean)
    assert list(zip(action.row, action.col)) == [(8, 20)]
    action = planner(2, mean=mean, centroid=moved(action))
    assert list(zip(action.row, action.col)) == [(8, 20)]
    # It shows in another slot now.
    swapped = [1, 0, 2, 3]
    action = planner(3, mean=mean[swapped], traits=TRAITS[swapped],
                     centroid=moved(action)[swapped])
    assert list(zip(action.row, action.col)) == [(6, 5)]
    assert len(planner(0).row) == 0
    client.until(lambda: states[-1].kind == Goal.NONE, 'the goal to be given up')
    assert planner.node.says('the object of the goal is no longer known')


def test_an_object_that_is_pushed_a_frame_late_is_caught_if_that_is_known(client, planner):
    mean = np.random.default_rng(0).normal(size=(SLOTS, LATENTS))

    def distance(delay):
        """Return how far from the goal an object is after 16 frames, with its speed."""
        assert client.set_parameter('planner_node', 'delay', delay).successful
        assert set_goal(client, kind=Goal.ALL, x=16., y=16.).success
        place, velocity, late = CENTROID.astype(float), np.zeros(2), None
        for frame in range(16):  # frame 0: the filter starts anew
            action = planner(frame, mean=mean, centroid=place.copy(),
                             reachable=np.arange(SLOTS) == 1)
            if late is not None:  # it moves what is there now
                seen = discs.labels(place, MASS, np.arange(SLOTS) < BACKGROUND, SIDE)
                hit = seen[np.array(late.row, int), np.array(late.col, int)] == 2
                velocity += [np.array(late.ax)[hit].sum(), np.array(late.ay)[hit].sum()]
            place[1] += velocity
            if not (0. <= place[1]).all() or not (place[1] <= SIDE).all():
                return math.inf
            late = action
        return np.hypot(*place[1] - 16.) + np.hypot(*velocity)

    assert distance(delay=1) < 2.
    assert distance(delay=0) > 8.


def test_goals_are_refused_with_a_reason_and_the_one_before_stays(client, planner):
    assert set_goal(client, kind=Goal.ALL, x=16., y=12.).success
    for fields, words in (
            ({'kind': Goal.ALL, 'x': 99., 'y': 5.}, 'outside the image, which is 32 px wide'),
            ({'kind': Goal.ALL, 'x': math.nan, 'y': 5.}, 'outside the image'),
            ({'kind': 9, 'x': 5., 'y': 5.}, 'kind is 9, expected'),
            ({'kind': Goal.OBJECT, 'x': 5., 'y': 5., 'u': -3., 'v': 5.}, '(u, v) is (-3, 5)')):
        answer = set_goal(client, **fields)
        assert not answer.success
        assert words in answer.message
    assert len(planner(1).row) == 2
    goals = client.heard_publisher(Goal, 'goal')
    goals.publish(Goal(kind=Goal.ALL, x=-1., y=5.))
    client.until(lambda: planner.node.says(r'goal refused: the goal is \(-1, 5\)'), 'a refusal')
    goals.publish(Goal(kind=Goal.NONE))
    client.until(lambda: planner.node.says('goal: nothing is pushed'), 'the goal')
    assert len(planner(2).row) == 0


def picture(side=20):
    halves = np.zeros((side, side, 3), np.uint8)
    halves[:, side // 2:] = 255
    return image.from_numpy(halves, 'rgb8', Image())


def test_a_class_is_pushed_and_an_unknown_one_refused(client, planner):
    # All objects of the bank are squares of 8 px of any colour.
    answer = set_goal(client, kind=Goal.CLASS, x=16., y=12., shape='square')
    assert answer.success and 'each square to (16, 12) px' in answer.message
    assert len(planner(1).row) == 2
    states = client.collect(Goal, 'goal_state', qos.LATCHED)
    client.until(lambda: states, 'the goal in force')
    assert (states[-1].kind, states[-1].shape) == (Goal.CLASS, 'square')
    for fields, words in (({'shape': 'dog'}, "no shape 'dog'; the bank knows square"),
                          ({'colour': [1., 0.]}, 'a colour is three numbers'),
                          ({'size_min': 20., 'size_max': 10.}, 'a range of sizes is'),
                          ({'size_min': 20., 'size_max': 30.}, 'has 0 objects of such a size')):
        answer = set_goal(client, kind=Goal.CLASS, x=16., y=12., **fields)
        assert not answer.success
        assert words in answer.message
    assert len(planner(2).row) == 2


def test_a_picture_is_a_goal_if_it_shows_as_many_objects(client, planner):
    """The model is random and finds one object in this picture."""
    planner(1)
    bad = picture()
    bad.encoding = '32FC1'
    for fields, words in (({'image': bad}, "the goal image is refused: the image has encoding"),
                          ({}, 'no picture was given: kind 4 needs `image`'),
                          ({'image': picture()}, 'shows 1 object, but 2 are in view')):
        answer = set_goal(client, kind=Goal.IMAGE, **fields)
        assert not answer.success
        assert re.search(words, answer.message)
    answer = set_goal(client, kind=Goal.IMAGE, image=picture(), partial=True)
    assert answer.success
    assert '1 object to where the image shows them' in answer.message
    assert len(planner(2).row) == 1
    states = client.collect(Goal, 'goal_state', qos.LATCHED)
    client.until(lambda: states, 'the goal in force')
    assert (states[-1].kind, len(states[-1].image.data)) == (Goal.IMAGE, 0)


def test_beliefs_are_answered_while_a_picture_is_looked_at(client, planner):
    goals = client.heard_publisher(Goal, 'goal')
    goals.publish(Goal(kind=Goal.IMAGE, image=picture(), partial=True))
    goals.publish(Goal(kind=Goal.ALL, x=16., y=12.))
    pictures = r'goal: \d objects? to where the image shows'
    answered = 0
    while not planner.node.says(pictures):
        assert not planner.node.says('goal refused')
        answered += 1
        planner(answered)
    assert answered > 1
    # The goals take effect in the order in which they were asked for.
    client.until(lambda: planner.node.says(r'goal: all objects to \(16, 12\) px'), 'the second')
    output = planner.node.output()
    assert re.search(pictures, output).start() < output.index('goal: all objects')


def test_beliefs_about_the_past_are_not_acted_on(client, planner):
    assert set_goal(client, kind=Goal.ALL, x=16., y=12.).success
    planner(5)
    before = len(planner.actions)
    planner.sender.publish(slots(3, planner.model_id))
    client.until(lambda: planner.node.says('they are older than those that were answered last'),
                 'the refusal')
    assert planner(6).header.stamp.sec == 7
    assert len(planner.actions) == before + 1


def test_a_bank_of_another_model_is_named(client, start_node, weights, other_weights):
    bank = weights.replace('.safetensors', '.goals.safetensors')
    node = start_active(client, start_node, checkpoint=other_weights, goal_bank=bank)
    assert node.says('goals will be refused: the goal bank .* belongs to the model')
    answer = set_goal(client, kind=Goal.ALL, x=5., y=5.)
    assert not answer.success
    assert 'belongs to the model' in answer.message


def test_a_bank_may_be_in_a_package_and_has_to_be_there_if_it_is_named(
        domain, weights, tmp_path, monkeypatch, capfd):
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'mine').touch()
    share = tmp_path / 'share' / 'mine'
    share.mkdir()
    shutil.copy(weights.replace('.safetensors', '.goals.safetensors'), share / 'bank.safetensors')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path}:{os.environ["AMENT_PREFIX_PATH"]}')
    with inside(PlannerNode, domain, checkpoint=weights, autostart=False) as node:
        for name, words in (
                ('package://nobody/bank.safetensors', "no package 'nobody' in AMENT_PREFIX_PATH"),
                ('package://mine/none.safetensors',
                 f'there is no goal bank {share}/none.safetensors. Set the parameter goal_bank')):
            assert node.set_parameters([Parameter('goal_bank', value=name)])[0].successful
            assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
            assert words in capfd.readouterr().err
        node.set_parameters([Parameter('goal_bank', value='package://mine/bank.safetensors')])
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert 'goals will be refused' not in capfd.readouterr().err


def test_a_model_that_cannot_be_moved_does_not_configure(client, start_node, tmp_path):
    from obai_ros.model.checkpoint import save_checkpoint
    from obai_ros.model.config import ModelConfig
    from obai_ros.model.obai import Obai
    import torch
    model = Obai(ModelConfig.named('smoke'))
    with torch.no_grad():
        model.dynamics.D[:, 1] = model.dynamics.D[:, 0]
    save_checkpoint(tmp_path / 'flat.safetensors', model, {})
    node = start_node('planner_node', checkpoint=str(tmp_path / 'flat.safetensors'))
    client.until(lambda: node.says('cannot be configured: D is singular'), 'the failure')
    answer = set_goal(client, kind=Goal.ALL, x=5., y=5.)
    assert not answer.success
    assert 'not configured' in answer.message


def test_object_goals_need_beliefs_and_all_goals_need_a_bank(
        client, start_node, weights, other_weights):
    start_active(client, start_node, checkpoint=weights)
    answer = set_goal(client, kind=Goal.OBJECT, x=5., y=5., u=5., v=5.)
    assert not answer.success
    assert 'no beliefs have arrived yet' in answer.message
    other = start_active(client, start_node, {'__node': 'other'}, checkpoint=other_weights)
    assert other.says('goals will be refused: there is no goal bank')
    answer = client.call(SetGoal, 'other/set_goal', goal=Goal(kind=Goal.ALL, x=5., y=5.))
    assert not answer.success
    assert f'make it with `obai learn-goals --checkpoint {other_weights}`' in answer.message


def test_beliefs_of_another_model_are_refused(client, planner, model_id):
    statuses = client.collect(PlannerStatus, 'planner_node/status')
    client.until(lambda: client.node.count_publishers('planner_node/status'), 'status')
    before = len(planner.actions)
    for frame in range(1, 6):
        planner.sender.publish(slots(frame, 'another'))
    answer = planner(6)
    assert answer.header.stamp.sec == 7
    assert len(planner.actions) == before + 1
    words = f'beliefs refused: they are of model another, this planner has {model_id}'
    assert planner.node.output().count(words) == 1
    client.until(lambda: statuses, 'status')
    assert statuses[-1].refused == 5


def test_malformed_beliefs_are_refused(client, planner, model_id):
    before = len(planner.actions)
    short = slots(1, model_id)
    short.mean = short.mean[:-1]
    infinite = slots(2, model_id)
    infinite.velocity[3] = math.nan
    narrow = slots(4, model_id, **{name: np.zeros((SLOTS, 3)) for name in (
        'mean', 'velocity', 'log_sd', 'velocity_log_sd')})
    nowhere, endless, certain = (slots(second, model_id) for second in (6, 7, 8))
    nowhere.centroid_x[1] = math.inf
    endless.mean[0] = 3e38
    certain.contact_probability[0] = 1e30
    for bad, words in ((short, 'mean of length 31, expected 32'), (infinite, 'not finite'),
                       (narrow, '3 latents per slot, expected 8'),
                       (nowhere, 'centroid holds a number that is not finite'),
                       (endless, r'mean holds 3e\+38, expected'),
                       (certain, r'contact_probability holds 1e\+30, expected')):
        planner.sender.publish(bad)
        client.until(lambda: planner.node.says(words), words)
    assert planner(5).header.stamp.sec == 6
    assert len(planner.actions) == before + 1


def test_beliefs_from_which_nothing_follows_are_refused(client, domain, weights, model_id, capfd):
    actions = client.collect(ActionField, 'action_field')
    states = client.collect(Goal, 'goal_state', qos.LATCHED)
    with inside(PlannerNode, domain, checkpoint=weights, autostart=False) as node:
        node.trigger_configure()
        node.trigger_activate()
        client.until(lambda: client.node.count_publishers('action_field'), 'the planner')
        # The first answer may be lost while the two sides still find each other.
        client.until(lambda: node._receive_slots(slots(0, model_id)) or actions, 'an answer')
        assert not node._pursue(Goal(kind=Goal.OBJECT, x=4., y=4., u=19., v=9.))
        # What is remembered may be spoilt, too: then no good beliefs could ever be answered.
        node._agent.pursuit._tracks._place[:] = math.nan
        for frame in (1, 2):
            node._receive_slots(slots(frame, model_id))
        client.until(lambda: actions[-1].frame == 2 and states[-1].kind == Goal.NONE, 'the next')
        assert 1 not in [action.frame for action in actions]
        assert node.complaints.count('slots') == 1
    said = capfd.readouterr().err
    assert 'beliefs refused: no action follows from them (matrix contains invalid' in said
    assert 'beliefs made no sense, so the object of the goal is no longer known' in said


def test_beliefs_sent_again_get_the_same_answer_again(client, planner):
    set_goal(client, kind=Goal.ALL, x=16., y=12.)
    first = planner(1)
    set_goal(client, kind=Goal.NONE)
    assert planner(1) == first


@pytest.fixture
def followed(domain, weights, model_id):
    """Return a node that has answered frames 0 to 4 and pursues a goal for one object."""
    with inside(PlannerNode, domain, checkpoint=weights, autostart=False) as node:
        node.trigger_configure()
        node.trigger_activate()
        for frame in range(5):
            node._receive_slots(slots(frame, model_id))
            if frame == 3:
                assert not node._pursue(Goal(kind=Goal.OBJECT, x=4., y=4., u=19., v=9.))
        assert node._goal_in_force().kind == Goal.OBJECT
        yield node


def test_the_end_of_a_goal_whose_object_is_followed_no_more_is_told(
        followed, model_id, monkeypatch, capfd):
    tracks = followed._agent.pursuit._tracks
    monkeypatch.setattr(tracks, 'follows', lambda number: False)
    followed._receive_slots(slots(5, model_id))
    assert followed._goal_in_force().kind == Goal.NONE
    assert 'so many others have come since it was seen, so the object of the goal is no longer' \
        in capfd.readouterr().err


def at(second, message):
    message.header.stamp.sec = second
    return message


def test_a_filter_that_started_anew_while_the_planner_was_inactive_ends_the_goal(
        followed, model_id, capfd):
    followed.trigger_deactivate()
    followed.trigger_activate()
    # Later in every respect: nothing about these beliefs alone tells that they are of another run.
    followed._receive_slots(at(100, slots(7, model_id)))
    assert followed._goal_in_force().kind == Goal.NONE
    assert 'beliefs were missed while the node was inactive, so the object' in \
        capfd.readouterr().err


def test_a_goal_outlives_a_pause_in_which_nothing_was_missed(followed, model_id):
    reply = followed._reply
    followed.trigger_deactivate()
    followed.trigger_activate()
    followed._receive_slots(slots(4, model_id))  # sent again
    assert followed._reply is reply
    followed._receive_slots(slots(5, model_id))
    assert followed._reply.frame == 5
    assert followed._goal_in_force().kind == Goal.OBJECT


def test_a_filter_that_started_anew_is_noticed_without_its_first_frame(
        followed, model_id, capfd):
    followed._receive_slots(at(100, slots(1, model_id)))
    assert (followed._reply.frame, followed._goal_in_force().kind) == (1, Goal.NONE)
    assert 'the filter started anew, so the object of the goal' in capfd.readouterr().err
    assert not followed.complaints.count('slots')


def test_a_filter_that_begins_anew_with_the_same_image_is_noticed(followed, model_id):
    followed._receive_slots(at(5, slots(0, model_id)))
    assert (followed._reply.frame, followed._goal_in_force().kind) == (0, Goal.NONE)


def test_parameters_change_at_run_time_or_are_refused_with_a_reason(client, planner):
    for name, value in (('goal_x', 10.), ('goal', 'all'), ('horizon', 8), ('spread', 3.),
                        ('action_cost', .1), ('max_acceleration', .25)):
        assert client.set_parameter('planner_node', name, value).successful, name
    action = planner(1)
    assert len(action.row) == 2
    assert max(map(abs, (*action.ax, *action.ay))) <= .25
    for name, value, words in (
            ('goal_x', 50., 'outside the image, which is 32 px wide'),
            ('spread', .5, 'effective samples, at least 5 are needed; widen its spread'),
            ('goal', 'everywhere', "goal is 'everywhere', expected one of none, all"),
            ('horizon', 0, 'out of range'), ('max_acceleration', -1., 'out of range'),
            ('checkpoint', 'x', 'checkpoint is in use')):
        result = client.set_parameter('planner_node', name, value)
        assert not result.successful
        assert words in result.reason
    assert client.parameters('planner_node')['goal_x'] == 10.
    assert len(planner(2).row) == 2


def test_a_goal_that_the_parameters_cannot_have_fails_to_configure(client, domain, weights, capfd):
    with inside(PlannerNode, domain, checkpoint=weights, goal='all', spread=.5,
                autostart=False) as node:
        assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
        said = capfd.readouterr().err
        assert 'cannot be configured: the goal of the parameters is refused: this goal' in said
        assert 'effective samples' in said and 'Correct goal, goal_x, goal_y or spread.' in said
        assert node.set_parameters([Parameter('spread', value=3.)])[0].successful
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS


def test_a_place_alone_replaces_no_goal(client, planner):
    goals = client.collect(Goal, 'goal_state', qos.LATCHED)
    asked = client.call(SetGoal, 'planner_node/set_goal', goal=Goal(kind=Goal.ALL, x=20., y=8.))
    assert asked.success
    client.until(lambda: goals and goals[-1].kind == Goal.ALL, 'the goal')
    assert client.set_parameter('planner_node', 'goal_x', 10.).successful
    assert client.set_parameter('planner_node', 'goal_y', 11.).successful
    assert len(planner(1).row)  # by now a goal that had changed would have been told
    assert (goals[-1].x, goals[-1].y) == (20., 8.)
    assert client.set_parameter('planner_node', 'goal', 'all').successful
    client.until(lambda: (goals[-1].x, goals[-1].y) == (10., 11.), 'the goal of the parameters')


def test_missing_weights_fail_to_configure_with_a_remedy(client, start_node, tmp_path):
    node = start_node('planner_node', checkpoint=str(tmp_path / 'none.safetensors'))
    client.until(lambda: node.says('cannot be configured: .* does not exist'), 'the failure')
    answer = set_goal(client, kind=Goal.ALL, x=5., y=5.)
    assert not answer.success
    assert 'not configured' in answer.message
    assert node.stop()[0] == 0


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_node_cleanly(planner, number):
    status, seconds = planner.node.stop(number)
    assert status == 0
    assert seconds < 2.
    assert 'Traceback' not in planner.node.output()
