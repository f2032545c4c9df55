# SPDX-License-Identifier: Apache-2.0
"""Shows frames on a page while somebody looks, and asks the system for what is wished there."""
from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from obai_ros.messages import beliefs, image
from obai_ros.messages.stamp import nanoseconds
from obai_ros.msg import Goal, LabelInfo, PlannerStatus, SlotBeliefs
from obai_ros.nodes import image_input, qos
from obai_ros.nodes.complaints import Complaints
from obai_ros.nodes.goal_request import KINDS
from obai_ros.nodes.guest import Guest
from obai_ros.nodes.label_grid import LabelGrid
from obai_ros.nodes.raw_topics import what_is_wrong
from obai_ros.nodes.service_call import ANSWERS
from obai_ros.nodes.stamp_join import StampJoin
from obai_ros.srv import SetGoal
from obai_ros.viewing.frame import describe, Plan
from obai_ros.viewing.page import Page, Wish

KEPT = 20         # frames that wait for parts that are still to come
HEED = 0.03       # s, between looks at what is wished
LOOK = 0.3        # s, between looks at who looks
NEEDED = {'image', 'slots'}
SPARE = {'plan', 'reconstruction', 'prediction'}


@dataclass
class _Asked:
    """A wish that a node was asked to grant."""

    wish: Wish
    client: Client
    answer: Future
    since: float


class PageNode(Node):
    """
    page: a Page. image_topic: of the camera. namespace: of the nodes. say(sentence): for people.

    Nothing is subscribed to while nobody looks, so that nodes make no pictures for nobody.
    """

    def __init__(self, context, page: Page, namespace='', image_topic='image_raw', say=print):
        super().__init__('obai_play', context=context, namespace=namespace, cli_args=[
            '--ros-args', '-r', f'image_raw:={image_topic.removesuffix("/compressed")}'])
        self._page = page
        self._transport = 'compressed' if image_topic.endswith('/compressed') else 'raw'
        self._complaints = Complaints(say)
        self._join = StampJoin(KEPT, SPARE)
        self._grid = LabelGrid(self._complaints)
        self._inputs = {}
        self._expected = set()
        self._asked: list[_Asked] = []
        self._granters = {
            'goal': self.create_client(SetGoal, 'planner_node/set_goal'),
            'reset': self.create_client(Trigger, 'sim_node/reset'),
            'pause': self.create_client(SetBool, 'sim_node/pause'),
            'step': self.create_client(Trigger, 'sim_node/step')}
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(LOOK, self._look_for_viewers, clock=steady)
        self.create_timer(HEED, self._heed, clock=steady)

    def _look_for_viewers(self):
        if self._page.viewers and not self._inputs:
            self._inputs = self._subscribe()
        elif not self._page.viewers and self._inputs:
            for subscription in self._inputs.values():
                self.destroy_subscription(subscription)
            self._inputs = {}
            self._join.clear()
        self._expected = NEEDED | {
            part for part in SPARE & self._inputs.keys()
            if self.count_publishers(self._inputs[part].topic_name)}

    def _subscribe(self):
        images = image_input.subscribe(self, self._transport,
                                       self._part('image', image_input.to_rgb8), qos.JOIN)
        return {'image': images} | {
            part: self.create_subscription(kind, topic, take, profile)
            for part, kind, topic, take, profile in (
                ('slots', SlotBeliefs, 'slots', self._part('slots', beliefs.read), qos.DATA),
                ('plan', PlannerStatus, 'planner_node/status', self._part('plan', _read_plan),
                 qos.DATA),
                ('info', LabelInfo, 'label_info', self._grid.take, qos.LATCHED),
                *((name, Image, name, self._part(name, image.to_rgb8), qos.JOIN)
                  for name in ('reconstruction', 'prediction')))}

    def _part(self, name, read):
        def take(message):
            try:
                parts = self._join.add(nanoseconds(message), name, read(message), self._expected)
                if parts is not None:
                    self._page.show(self._describe(parts))
            except ValueError as error:
                self._complaints.add(name, f'{name} cannot be shown: {error}')
        return take

    def _describe(self, parts):
        picture, believed = parts['image'], parts['slots']
        return describe(
            picture, believed, self._grid.within(picture, believed.width), parts.get('plan'),
            {name: parts[name] for name in ('reconstruction', 'prediction') if name in parts})

    def _heed(self):
        for wish in self._page.wishes():
            client = self._granters[wish.what]
            if client.service_is_ready():
                self._asked.append(_Asked(wish, client, client.call_async(_request(wish)),
                                          time.monotonic()))
            else:
                wish.answer(False, f'nobody offers {client.service_name} '
                                   f'in ROS domain {self.context.get_domain_id()}')
        for asked in self._asked[:]:
            if asked.answer.done():
                response = asked.answer.result()
                asked.wish.answer(response.success, response.message)
            elif time.monotonic() - asked.since > ANSWERS:
                asked.client.remove_pending_request(asked.answer)
                asked.wish.answer(False, f'{asked.client.service_name} has not answered for '
                                         f'{ANSWERS:g} s')
            else:
                continue
            self._asked.remove(asked)


def _request(wish):
    if wish.what == 'goal':
        said = dict(wish.says)
        return SetGoal.Request(goal=Goal(kind=KINDS[said.pop('kind')], **said))
    return SetBool.Request(data=wish.says['on']) if wish.what == 'pause' else Trigger.Request()


def _read_plan(message) -> Plan:
    return Plan(np.stack([message.ax, message.ay], -1),
                np.stack([message.goal_x, message.goal_y], -1),
                np.asarray(message.feef))


def play(page: Page, stop=lambda: False, say=print, **names) -> None:
    """
    Serve a page until stop() holds.

    names: namespace, image_topic, of a PageNode. Raises ValueError for names that cannot be.
    """
    try:
        with Guest(lambda context: PageNode(context, page, say=say, **names)) as guest:
            guest.serve_until(stop)
    except NameValidationException as error:
        raise ValueError(what_is_wrong(error)) from error
