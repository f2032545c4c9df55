# SPDX-License-Identifier: Apache-2.0
"""perception_node: camera images in, beliefs about objects out.

Callbacks only sort what arrives; the newest image is processed in a thread of its own, so that
parameters and services answer meanwhile. Stamps identify frames throughout.
"""

import threading
import time

import numpy as np
from std_srvs.srv import SetBool, Trigger

from obai_ros.camera.fit import fit
from obai_ros.messages import action_field
from obai_ros.messages.stamp import nanoseconds, StampError
from obai_ros.msg import ActionField
from obai_ros.nodes import image_input, qos
from obai_ros.nodes.continuity import follow
from obai_ros.nodes.frame_queue import AppliedActions, LatestFrame
from obai_ros.nodes.managed_node import ManagedNode
from obai_ros.nodes.perception_health import PerceptionHealth
from obai_ros.nodes.resources import choose_device, load_model
from obai_ros.nodes.run import run
from obai_ros.nodes.tables import PERCEPTION
from obai_ros.nodes.worker import Worker


class PerceptionNode(ManagedNode):
    """Segments images into objects and follows them, with the actions that were applied."""

    def __init__(self):
        self._frames = LatestFrame()
        self._applied = AppliedActions()
        self._busy = threading.Lock()  # held while an image is processed
        self._observer = self._engine = None
        self._cores = None  # threads that torch begins with, known once it is imported
        self._enabled = True
        self._ending = False
        self._anew = threading.Event()  # set by ~/reset until the worker has seen it
        self._last = None              # stamp of the image processed last, ns
        self._picture = None           # and that image, on the model's grid
        self._number = 0               # of the frame that the newest applied action is about
        super().__init__('perception_node', PERCEPTION)
        self._worker = Worker(self)
        self.create_service(Trigger, '~/reset', self._reset)
        self.create_service(SetBool, '~/enable', self._enable)
        self._health = PerceptionHealth(self)

    def load(self):
        self._worker.ask(self._load)  # threads of torch belong to the thread that calls it first

    def _load(self):
        # Here and not above: torch takes seconds to import, and a node should answer at once.
        import torch
        from obai_ros.model.device import choose_precision
        from obai_ros.model.engines.choice import make_engine
        from obai_ros.model.engines.part import parts_of
        from obai_ros.nodes.observer import Observer
        from obai_ros.nodes.perception_output import PerceptionOutput
        if self._cores is None:
            self._cores = torch.get_num_threads()
        torch.set_num_threads(self.settings.threads or self._cores)
        device = choose_device(self.settings.device)
        precision, warning = choose_precision(self.settings.precision, device)
        if warning:
            self.get_logger().warning(warning)
        window = self.settings.window or None
        _, checkpoint = load_model(self.settings.checkpoint, device, precision)
        log = self.get_logger()
        self._engine = make_engine(self.settings.engine, checkpoint.model, log.info, log.warning,
                                   parts_of(1, window or checkpoint.schedule.window))
        self._observer = Observer(
            checkpoint, device, self._engine, self.settings.iterations or None, window,
            self.settings.starts or None, self.settings.births, self.settings.second_look,
            self.settings.confined, self.settings.seed)
        self._observer.warm_up()
        self._last = None
        self._frames.begin()
        self._applied.clear()
        self._output = PerceptionOutput(self, self._observer)
        self._health.begin(self._observer)
        self.get_logger().info(
            f'configured: model {self._observer.model_id} ({self._observer.num_slots} slots, '
            f'{self._observer.size}x{self._observer.size} px) on {device} in {precision}, '
            f'{self._engine.working} engine')

    def start(self):
        # Before the images, so that a simulator that has found who looks at its images has found
        # who listens to its actions too, and none between two images is lost.
        self._actions = self.create_subscription(
            ActionField, 'applied_action_field', self._receive_action, qos.DATA,
            qos_overriding_options=qos.overridable())
        self._images = image_input.subscribe(
            self, self.settings.image_transport, self._receive_image, qos.IMAGE_IN,
            self._health.lost)
        # The queue of images holds one. What was applied to an image that a newer one has pushed
        # out of it may say that the newer one does not follow, and nothing but its arrival tells
        # of that image. Hence actions that have come are received before an image is looked at:
        # the executor takes subscriptions before conditions.
        self._due = self.create_guard_condition(
            lambda: self._worker.do(self._process_newest))
        self._watch()
        self.get_logger().info(f'active: waiting for images on {self._images.topic_name}')

    def stop(self):
        self.destroy_subscription(self._images)
        self.destroy_subscription(self._actions)
        self.destroy_guard_condition(self._due)
        self._health.watch(None)
        self._frames.clear()
        self._applied.interrupt()
        with self._busy:  # the image in work is finished first
            pass

    def unload(self):
        import torch
        self._output.destroy()
        self._health.begin(None)
        self._engine.close()
        self._output = self._observer = self._engine = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _receive_image(self, message):
        if not (self.active and self._enabled):
            return
        begin = time.monotonic()
        self._health.seen(len(message.data))
        try:
            stamp = nanoseconds(message)
            picture = image_input.to_rgb8(message)
        except ValueError as error:
            self._refuse_image(f'{error}')
            return
        self._observer.came(stamp * 1e-9)
        height, width = picture.shape[:2]
        fitted = fit(self.settings.resize, width, height, self._observer.size)
        self._frames.put(stamp, (
            message.header, fitted, fitted.picture_to_grid(picture), time.monotonic() - begin))
        self._due.trigger()

    def _refuse_image(self, reason, remedy=''):
        self.complaints.add('image', f'image refused: {reason}{remedy}')
        self._health.refused(reason)

    def _receive_action(self, message):
        if not self.active:
            return
        size = self._observer.size
        try:
            stamp = nanoseconds(message)
            points = action_field.read(message, size, size)
        except StampError as error:
            self.complaints.add('action', f'applied action refused: {error}')
            return
        except ValueError as error:
            self.complaints.add('action', f'applied action refused, taken as zero: {error}')
            points = [], [], []
        # Whoever counts from the beginning again has been started anew, and what it shows does not
        # follow from what was before; unless the filter has begun with this very image.
        renumbered, self._number = message.frame < self._number, message.frame
        cut = message.cut or renumbered and self._observer.frame > 0
        self._applied.add(stamp, self._observer.applied(*points, cut))

    def _process_newest(self):
        with self._busy:
            # Before anything that says whether there is something to do: who says no interrupts
            # after that, and may do so at any time until the worker waits for an action.
            interruptions = self._applied.interruptions
            item = self._frames.take()
            if item is not None and self.active and not self._ending:
                self._process(*item, interruptions)

    def destroy_node(self):
        if self._ending:
            return
        # The image in work is finished first: it is published through what goes away now.
        self._ending = True
        self._applied.interrupt()
        if self._busy.acquire(timeout=1.0):
            if self._engine is not None:
                # The process ends without destructors, and torch unpacks compiled code to files.
                self._engine.close()
            super().destroy_node()

    def _process(self, stamp, frame, skipped, interruptions):
        header, fitted, picture, convert = frame
        self._forget_if_told()
        if stamp == self._last:
            if not np.array_equal(picture, self._picture):
                self._refuse_image(
                    'it shows something else than the last one, but stamps do not advance',
                    '; let the driver give each image a stamp of its own')
                return
            # Whoever sent it again has had no answer; the planner may have missed the question.
            self._output.repeat()
            self._health.answered()
            return
        step = self._follow(stamp, skipped, interruptions)
        begin = time.monotonic()
        if step.restart:
            if self._last is not None:
                self.get_logger().info(f'the filter starts anew: {step.restart}')
            self._observer.restart()
        self._observer.set_effort(self.settings.iterations or None, self.settings.settled,
                                  self.settings.descent, self.settings.follow_rate)
        percept = self._observer.step(
            picture, tuple(action and action.field for action in step.actions))
        inferred = time.monotonic()
        if self._observer.spoilt:
            self.complaints.add('spoilt', 'the beliefs left all bounds: the filter starts anew '
                                'with this image')
        if percept.jumped[0]:
            self.get_logger().warning(
                'the image does not follow from the one before it: the free energy jumped to '
                f'{float(percept.free_energy[0]):.0f} nats' + (
                    '; looked at afresh' if self.settings.second_look else ''),
                throttle_duration_sec=5.0)
        self._output.publish(header, percept, fitted)
        self._health.processed(
            header, percept, dropped=self._frames.dropped, convert=convert,
            infer=inferred - begin, publish=time.monotonic() - inferred)
        self._last, self._picture = stamp, picture
        self._applied.forget(before=stamp)

    def _follow(self, stamp, skipped, interruptions):
        """Find out how the image at `stamp` follows from the last one; wait for its action."""
        topic = self._actions.topic_name
        expected = self.count_publishers(topic) > 0
        applied = []
        if self._last is not None and stamp < self._last:
            self._applied.forget_since(self._last)
        elif self._last is not None and expected:
            self._applied.wait([self._last, *skipped], self.settings.action_wait, interruptions)
        self._forget_if_told()  # while it waited
        if self._last is not None:
            applied = self._applied.between(self._last, stamp)
        step = follow(self._last, stamp, applied, skipped, expected, self.settings.reset_gap,
                      self.settings.max_skip)
        if step.missing and self.active:  # otherwise the waiting was ended before its time
            self.complaints.add(
                'missing', f'no action for the previous image came on {topic} within action_wait '
                f'= {self.settings.action_wait:g} s; taken as zero')
        return step

    def _forget_if_told(self):
        if self._anew.is_set():
            self._anew.clear()
            self._last = None

    def _reset(self, request, response):
        if self._observer is None:
            response.message = 'the node is not configured, so there is nothing to reset'
            return response
        # The worker may be waiting or computing; services are answered meanwhile.
        self._anew.set()
        self._applied.interrupt()
        response.success = True
        response.message = 'the filter starts anew with the next image'
        return response

    def _watch(self):
        if self._enabled:
            self._health.watch(self._images.topic_name)
        else:
            self._health.watch(None, 'disabled by ~/enable')

    def _enable(self, request, response):
        self._enabled = request.data
        if self.active:
            self._watch()
        response.success = True
        if not request.data:
            response.message = 'images are ignored until enabled again'
        elif self.active:
            response.message = 'images are processed'
        else:
            name = self.get_fully_qualified_name()
            response.message = ('the node is not active; images are processed once it is (ros2 '
                                f'lifecycle set {name} configure, then activate)')
        return response


def main(args=None):
    return run(PerceptionNode, args)
