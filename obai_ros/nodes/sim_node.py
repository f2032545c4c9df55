# SPDX-License-Identifier: Apache-2.0
"""The simulator as a node: shows a scene, lets actions act on it, in lock-step or by the clock."""

import collections
import sys
import time

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.time import Time
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger
import torch

from obai_ros.environment.photograph import in_any_colours
from obai_ros.environment.scene import SceneConfig
from obai_ros.messages import action_field, camera, image, object_states
from obai_ros.messages.stamp import nanoseconds
from obai_ros.msg import ActionField, ObjectStates
from obai_ros.nodes import parameters, qos, tables
from obai_ros.nodes.complaints import Complaints
from obai_ros.nodes.run import run
from obai_ros.nodes.world import NO_ACTION, World

WATCH_PERIOD = .05
"""Seconds between looks at what has not happened: no agent yet, no answer yet."""

AGENT_PATIENCE = 5.
"""Seconds without an agent before that is worth a warning."""

ANSWERABLE = 10
"""Images that an action may answer when free-running; in lock-step it is the newest only."""


class SimNode(Node):
    """
    Publishes images of a scene and steps it, once per action field or at a fixed rate.

    A frame is known by its stamp. `_answerable` holds the stamps that an action field may still
    answer, `_action` the points of the one that was accepted and waits to be applied, `_moot` the
    stamps of images that a reset has cut off before they were answered.
    """

    def __init__(self):
        super().__init__('sim_node')
        self.settings = parameters.Parameters(
            self, tables.SIM, check=self._refuse_settings, apply=self._apply_settings)
        settings = self.settings
        reason = self._refuse_settings({'rate': settings.rate})
        if reason:
            raise parameters.ParameterError(f'parameter {reason}')
        self.complaints = Complaints(self.get_logger().warning)
        scenes = SceneConfig(image_size=settings.image_size, num_objects=settings.num_objects,
                             velocity_sd=settings.velocity_sd)
        if settings.photographs:
            scenes = in_any_colours(scenes)
        self._world = World(scenes, settings.seed, settings.photographs)
        self._camera_info = camera.write_pinhole(settings.image_size, CameraInfo())
        self._frame = -1
        self._stamp = 0
        self._paused = False
        self._action = None
        self._answerable = collections.deque(maxlen=1 if settings.synchronous else ANSWERABLE)
        self._moot = frozenset()
        self._deserted = -1            # episode of which it was said that nothing is left in view
        self._repeated = None          # stamp of the frame that was last sent more than once
        self._born = time.monotonic()
        self._asked = self._sent = 0.  # monotonic s: frame published first, and last

        # Before the images: DDS announces in this order, so that whoever has found the images
        # knows of the actions that connect them.
        self._applied = self._publisher(ActionField, 'applied_action_field', qos.DATA)
        self._images = self._publisher(Image, 'image_raw', qos.IMAGE_OUT)
        self._camera_infos = self._publisher(CameraInfo, 'camera_info', qos.IMAGE_OUT)
        self._labels = self._publisher(Image, 'ground_truth/label_image', qos.IMAGE_OUT)
        self._objects = self._publisher(ObjectStates, 'ground_truth/objects', qos.DATA)
        self._clocks = self._publisher(ClockMessage, '/clock', qos.DATA) \
            if settings.publish_clock else None
        self._actions = self.create_subscription(
            ActionField, 'action_field', self._on_action, qos.DATA,
            qos_overriding_options=qos.overridable())
        self.create_service(Trigger, '~/reset', self._on_reset)
        self.create_service(Trigger, '~/step', self._on_step)
        self.create_service(SetBool, '~/pause', self._on_pause)

        # The simulator lives by the wall clock: it is what others take the time from.
        self._wall = Clock(clock_type=ClockType.SYSTEM_TIME)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._watch = self.create_timer(WATCH_PERIOD, self._on_watch, clock=steady)
        self._pace = self.create_timer(1., self._on_pace, clock=steady)
        self._apply_settings({'rate': settings.rate})
        self.get_logger().info(
            f'{"lock-step" if settings.synchronous else "free-running"}, seed {settings.seed}, '
            f'{settings.num_objects} objects in {settings.image_size}x{settings.image_size} px')

    # --- what arrives ---------------------------------------------------------

    def _on_action(self, message):
        size = self.settings.image_size
        try:
            stamp = nanoseconds(message)
            points = action_field.read(message, size, size)
        except ValueError as error:
            self.complaints.add(type(error).__name__, f'refused: {error}')
            return
        if stamp in self._moot:
            return  # on its way when the reset came: nobody's fault
        if stamp == self._repeated and stamp not in self._answerable:
            return  # who is asked twice may answer twice
        if stamp not in self._answerable:
            self.complaints.add('WrongFrame', (
                f'refused: the action field answers the image of {_seconds(stamp)}, expected '
                f'{self._expected_stamps()}: it came late, twice, or from elsewhere'))
            return
        while self._answerable and self._answerable[0] <= stamp:
            self._answerable.popleft()
        self._action = points
        self._step_if_due()

    def _on_reset(self, request, response):
        if self._frame >= 0:
            self._publish_applied(NO_ACTION, cut=True)
        self._world.begin()
        if self._frame >= 0:
            self._next_frame()
        return _answer(response, f'episode {self._world.episode} has begun')

    def _on_step(self, request, response):
        if self._frame < 0:
            self._next_frame()
            return _answer(response, 'published the first image')
        what = 'without an action' if self._action is None else 'with the action that waited'
        self._step()
        return _answer(response, f'stepped {what} to image {self._frame}')

    def _on_pause(self, request, response):
        self._paused = request.data
        if not self._paused:
            self._asked = self._sent = time.monotonic()
            self._step_if_due()
        return _answer(response, 'paused; ~/step does one step' if self._paused else 'running')

    # --- what happens by itself -------------------------------------------------

    def _on_watch(self):
        """Start when there is an agent; in lock-step, ask again or go on without an answer."""
        if self._clocks is not None:
            self._clocks.publish(ClockMessage(clock=self._wall.now().to_msg()))
        if self._paused:
            return
        if self._frame < 0:
            missing = self._missing_agent() if self.settings.wait_for_agent else ''
            if missing and time.monotonic() - self._born < AGENT_PATIENCE:
                return  # it may well be starting at this moment
            if missing:
                self.complaints.add('NoAgent', f'waiting for an agent before the first image: '
                                    f'{missing}; wait_for_agent:=false starts without')
            else:
                self._next_frame()
        elif self.settings.synchronous and self._action is None:
            now = time.monotonic()
            if now - self._asked >= self.settings.action_timeout:
                self.complaints.add('NoAnswer', (
                    f'no action field answered image {self._frame} ({_seconds(self._stamp)}) '
                    f'within {self.settings.action_timeout:g} s (action_timeout): stepping '
                    'without an action; is the agent running and active?'))
                self._step()
            elif now - self._sent >= self.settings.resend_period:
                self._repeated = self._stamp
                self._send_image()

    def _on_pace(self):
        if self.settings.synchronous:
            self._pace.cancel()
            self._step_if_due()
        elif self._frame >= 0 and not self._paused:
            self._step()

    def _step_if_due(self):
        """In lock-step, apply the action that waits, unless `rate` says to wait a little more."""
        if self._action is None or self._paused or not self.settings.synchronous:
            return
        rate = self.settings.rate
        early = self._asked + (1 / rate if rate else 0.) - time.monotonic()
        if early <= 0:
            self._step()
        else:
            self._pace.timer_period_ns = int(early * 1e9) + 1
            self._pace.reset()

    # --- frames -------------------------------------------------------------------

    def _step(self):
        """Apply the action that waits, or none, and publish the next image."""
        points, steps = self._action or NO_ACTION, self.settings.episode_steps
        if steps and self._world.step + 1 >= steps:
            self._publish_applied(NO_ACTION, cut=True)
            self._world.begin()
        else:
            self._publish_applied(points, cut=False)
            self._world.advance(*points)
        self._next_frame()

    def _publish_applied(self, points, cut):
        size = self.settings.image_size
        message = ActionField(header=self._header(), frame=self._frame, cut=cut)
        self._applied.publish(action_field.write(*points, size, size, message))

    def _next_frame(self):
        """Publish the present state of the world as a new frame."""
        self._frame += 1
        self._stamp = max(self._wall.now().nanoseconds, self._stamp + 1)  # clocks get set back
        self._action = None
        if self._world.step == 0:
            self._moot = frozenset(self._answerable)
            self._answerable.clear()
        self._answerable.append(self._stamp)
        header, objects = self._header(), self._world.objects()
        self._say_if_deserted(objects['visible_pixels'])
        self._objects.publish(object_states.write(**objects, msg=ObjectStates(
            header=header, frame=self._frame, episode=self._world.episode)))
        self._labels.publish(image.from_numpy(self._world.labels, '8UC1', Image(header=header)))
        self._camera_info.header = header
        self._camera_infos.publish(self._camera_info)
        if self._clocks is not None:
            self._clocks.publish(ClockMessage(clock=header.stamp))
        self._asked = time.monotonic()
        self._send_image()

    def _say_if_deserted(self, visible):
        """Say once in a scene that nothing is left in view, unless another one follows anyway."""
        if visible.any() or self.settings.episode_steps or self._deserted == self._world.episode:
            return
        self._deserted = self._world.episode
        self.get_logger().warning(
            'no object is visible any more, and those that have left the image do not come back: '
            '~/reset (`obai reset`) begins a new scene, the parameter episode_steps does so every '
            'so many frames; a goal keeps objects in view')

    def _send_image(self):
        self._images.publish(
            image.from_numpy(self._world.image, 'rgb8', Image(header=self._header())))
        self._sent = time.monotonic()

    def _header(self):
        return Header(stamp=Time(nanoseconds=self._stamp).to_msg(),
                      frame_id=self.settings.frame_id)

    # --- settings and the like -------------------------------------------------------

    def _refuse_settings(self, changed):
        if changed.get('rate') == 0. and not self.settings.synchronous:
            return 'rate is 0, expected more when free-running: nothing else says when to step'
        return ''

    def _apply_settings(self, changed):
        if 'rate' not in changed:
            return
        if self.settings.synchronous:
            self._step_if_due()  # an action may be waiting for its turn by the rate before
        else:
            self._pace.timer_period_ns = int(1e9 / changed['rate'])
            self._pace.reset()

    def _missing_agent(self):
        """Return who is missing for the loop to be closed, '' if it is."""
        missing = []
        if not self._images.get_subscription_count():
            missing.append(f'nobody subscribes {self._images.topic_name}')
        if not self.count_publishers(self._actions.topic_name):
            missing.append(f'nobody publishes {self._actions.topic_name}')
        return ', '.join(missing)

    def _expected_stamps(self):
        if not self._answerable:
            return 'none, the present image has been answered' if self._frame >= 0 else \
                'none, no image has been published yet'
        if len(self._answerable) == 1:
            return _seconds(self._answerable[0])
        return f'one from {_seconds(self._answerable[0])} to {_seconds(self._answerable[-1])}'

    def _publisher(self, kind, topic, profile):
        return self.create_publisher(
            kind, topic, profile, qos_overriding_options=qos.overridable())


def _seconds(stamp):
    return f'{stamp // 10**9}.{stamp % 10**9:09d}'


def _answer(response, message):
    response.success, response.message = True, message
    return response


def main(args=None) -> int:
    """Run the simulator until SIGINT or SIGTERM; return the exit status."""
    torch.set_num_threads(1)  # one small scene: more threads only take cores from the agent
    return run(SimNode, args)


if __name__ == '__main__':
    sys.exit(main())
