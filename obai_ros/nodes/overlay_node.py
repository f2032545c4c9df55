# SPDX-License-Identifier: Apache-2.0
"""overlay_node: what was seen and what is done about it, as a picture and as markers for RViz.

It subscribes to the topics that it joins only while somebody listens to ~/overlay or ~/markers, so
that perception does not make pictures for nobody either. The picture is that of the camera, whole;
markers stay on the model's grid, as actions, goals and centroids are.
"""

import math

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from obai_ros.messages import beliefs, image, overlay
from obai_ros.messages.action_field import read as read_field
from obai_ros.messages.stamp import nanoseconds
from obai_ros.msg import ActionField, Goal, LabelInfo, PlannerStatus, SlotBeliefs
from obai_ros.nodes import image_input, qos
from obai_ros.nodes.complaints import Complaints
from obai_ros.nodes.label_grid import LabelGrid
from obai_ros.nodes.markers import frame_markers
from obai_ros.nodes.parameters import Parameters
from obai_ros.nodes.run import run
from obai_ros.nodes.stamp_join import PATIENCE, StampJoin
from obai_ros.nodes.tables import OVERLAY


class OverlayNode(Node):
    """Joins image, labels, beliefs and actions by stamp and draws them."""

    def __init__(self):
        super().__init__('overlay_node')
        self.settings = Parameters(self, OVERLAY)
        self._complaints = Complaints(self.get_logger().error)
        self._options = {'qos_overriding_options': qos.overridable()}
        self._overlay = self.create_publisher(Image, '~/overlay', qos.IMAGE_OUT, **self._options)
        self._markers = self.create_publisher(MarkerArray, '~/markers', qos.DATA, **self._options)
        self._join = StampJoin(self.settings.keep_frames, spare={'actions'})
        self._goal, self._plan = Goal(), PlannerStatus()
        self._grid = LabelGrid(self._complaints)
        self._inputs = {}
        self._expected = set()
        # Not by /clock, which may stand still or not be there.
        self.create_timer(0.2, self._look_for_listeners,
                          clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _look_for_listeners(self):
        expected = set()
        if self._overlay.get_subscription_count():
            expected |= {'image', 'labels'}
        if self._markers.get_subscription_count():
            expected |= {'slots'}
        if expected and not self._inputs:
            self._inputs = self._subscribe()
        elif not expected and self._inputs:
            for subscription in self._inputs.values():
                self.destroy_subscription(subscription)
            self._inputs = {}
            self._join.clear()
            self._plan = PlannerStatus()
        # Without a planner there is nothing to wait for: perception alone can be watched, too.
        if expected and self.count_publishers(self._inputs['actions'].topic_name):
            expected |= {'actions'}
        self._expected = expected

    def _subscribe(self):
        images = image_input.subscribe(self, self.settings.image_transport,
                                       self._part('image', image_input.to_rgb8), qos.JOIN)
        return {'image': images} | {
            part: self.create_subscription(kind, topic, take, profile, **self._options)
            for part, kind, topic, take, profile in (
                ('labels', Image, 'label_image', self._part('labels', image.to_labels), qos.JOIN),
                ('info', LabelInfo, 'label_info', self._grid.take, qos.LATCHED),
                ('slots', SlotBeliefs, 'slots', self._part('slots', beliefs.read), qos.DATA),
                ('actions', ActionField, 'action_field',
                 self._part('actions', lambda m: read_field(m, m.height, m.width)), qos.DATA),
                ('goal', Goal, 'goal_state', self._take_goal, qos.LATCHED),
                ('plan', PlannerStatus, 'planner_node/status', self._take_plan, qos.DATA))}

    def _part(self, name, read):
        def take(message):
            try:
                stamp, content = nanoseconds(message), read(message)
            except ValueError as error:
                self._complaints.add(name, f'{name} refused: {error}')
                return
            parts = self._join.add(stamp, name, content, self._expected)
            if parts is None:
                return
            if not self._expected <= parts.keys():
                self.get_logger().warning(
                    f'drawn without arrows: nothing came on {self._inputs["actions"].topic_name}, '
                    f'though somebody publishes it, for {PATIENCE:g} s; does the planner take '
                    'these beliefs? It would say why not', throttle_duration_sec=5.0)
            self._publish(message.header, parts)
        return take

    def _take_goal(self, message):
        self._goal = message

    def _take_plan(self, message):
        self._plan = message

    def _publish(self, header, parts):
        row, col, acceleration = parts.get(
            'actions', (np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2))))
        placeless = self._goal.kind in (Goal.NONE, Goal.IMAGE)
        goals = overlay.goal_marks(None if placeless else (self._goal.x, self._goal.y),
                                   self._plan.goal_x, self._plan.goal_y)
        if 'image' in parts and 'labels' in parts and self._overlay.get_subscription_count():
            drawn = self._draw(parts['image'], parts['labels'], row, col, acceleration, goals)
            self._overlay.publish(image.from_numpy(drawn, 'rgb8', Image(header=header)))
        if 'slots' in parts and self._markers.get_subscription_count():
            self._markers.publish(frame_markers(
                header, parts['slots'], (row, col, acceleration), goals,
                self.settings.metres_per_px))

    def _draw(self, picture, labels, row, col, acceleration, goals):
        """Draw what is on the model's grid over a picture of any size."""
        place = self._grid.within(picture, len(labels))
        pen = min(place.scale_x, place.scale_y)
        start = place.points_to_picture(np.stack([col, row], -1) + .5) - .5
        pushes = place.vectors_to_picture(acceleration)
        return overlay.draw(
            picture, place.labels_to_picture(labels, outside=overlay.UNLABELLED),
            (start[:, 1], start[:, 0], *pushes.T),
            [(*place.points_to_picture(spot), colour) for *spot, colour in goals],
            scale=math.ceil(self.settings.scale / max(pen, 1 / 16)), pen=pen)


def main(args=None):
    return run(OverlayNode, args)
