# SPDX-License-Identifier: Apache-2.0
"""camera_node: a camera, a video file or a folder of images as `image_raw` and `camera_info`.

Pictures are read in a thread of their own, since a camera may let one wait.
"""

import math
import threading
import time

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from obai_ros.camera.calibration import CalibrationError, load_calibration
from obai_ros.camera.source import CameraError, open_source
from obai_ros.messages import camera, image
from obai_ros.nodes import qos
from obai_ros.nodes.complaints import Complaints
from obai_ros.nodes.managed_node import ConfigureError
from obai_ros.nodes.parameters import ParameterError, Parameters
from obai_ros.nodes.resources import locate
from obai_ros.nodes.run import run
from obai_ros.nodes.tables import CAMERA
from obai_ros.nodes.worker import start_worker

FOLDER_RATE = 10.
"""Pictures per second of what has no rate of its own."""

RETRY = 1.
"""Seconds until a picture that could not be had is tried again."""


class CameraNode(Node):
    """Publishes the pictures of one source, with their calibration if there is one."""

    def __init__(self):
        self._ending = threading.Event()
        self._woken = threading.Event()  # the node ends, or rate has changed
        self._busy = threading.Lock()  # held while a picture is published
        super().__init__('camera_node')
        self.settings = Parameters(self, CAMERA, apply=lambda changed: self._woken.set())
        self.complaints = Complaints(self.get_logger().error)
        self._calibration = self._load_calibration()
        self._source = self._open()
        options = {'qos_overriding_options': qos.overridable()}
        self._images = self.create_publisher(Image, 'image_raw', qos.IMAGE_OUT, **options)
        # Beside the image, wherever that has been remapped to: there it is looked for.
        beside = self._images.topic_name.rpartition('/')[0]
        self._infos = self.create_publisher(
            CameraInfo, f'{beside}/camera_info', qos.IMAGE_OUT, **options)
        self.get_logger().info(
            f'publishing {self._source.words} on {self._images.topic_name}, '
            f'{"as it comes" if self._rate() == 0 else f"{self._rate():g} pictures/s"}'
            f'{"" if self._calibration else "; no camera_info_url, so it is uncalibrated"}')
        start_worker(self, self._work)

    def destroy_node(self):
        # The picture in work is published first: its publisher goes away now.
        self._ending.set()
        self._woken.set()
        with self._busy:
            super().destroy_node()

    def _open(self):
        try:
            return open_source(self.settings.source, self.settings.loop,
                               self.settings.image_width, self.settings.image_height)
        except CameraError as error:
            raise ParameterError(f'{error} The parameter source says what to open.') from error

    def _load_calibration(self):
        url = self.settings.camera_info_url
        try:
            return load_calibration(locate(url)) if url else None
        except (CalibrationError, ConfigureError) as error:
            raise ParameterError(f'parameter camera_info_url: {error}') from error

    def _rate(self):
        """Return the pictures per second to publish; 0 = as they come."""
        if self.settings.rate:
            return self.settings.rate
        return 0. if self._source.live else self._source.rate or FOLDER_RATE

    def _work(self):
        """Publish picture after picture, at their rate, for as long as the node lives."""
        last, count = -math.inf, 0
        while not self._ending.is_set():
            try:
                picture = self._source.read()
            except CameraError as error:
                self.complaints.add('picture', f'{error}')
                self._ending.wait(RETRY)
                continue
            if picture is None:
                self.get_logger().info(f'{self._source.words} has ended after {count} pictures; '
                                       'loop:=true begins anew')
                return
            count += 1
            if self._source.live:
                due, period = self._due(last)
                if due - time.monotonic() > .5 * period:
                    continue  # the camera is faster than asked for
            else:
                due, period = self._wait_until_due(last)
            with self._busy:
                if not self._ending.is_set():
                    self._publish(picture)
            now = time.monotonic()
            # Who is late does not make up for more than one picture.
            last = now if due == -math.inf else max(due, now - period)

    def _due(self, last):
        """Return when the picture after that of `last` is due, and the time between two, s."""
        rate = self._rate()
        return (last + 1 / rate, 1 / rate) if rate else (-math.inf, 0.)

    def _wait_until_due(self, last):
        """Return what _due() does when the time has come, or the end of the node."""
        while True:
            self._woken.clear()
            due, period = self._due(last)
            early = due - time.monotonic()
            if early <= 0 or self._ending.is_set():
                return due, period
            self._woken.wait(early)

    def _publish(self, picture):
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self.settings.frame_id)
        height, width = picture.shape[:2]
        info = CameraInfo(header=header, height=height, width=width)
        known = self._calibration
        if known is not None and (known.width, known.height) == (width, height):
            camera.write_calibration(known, info)
        elif known is not None:
            self.complaints.add(
                'calibration', f'the calibration is for {known.width}x{known.height} px, but the '
                f'picture has {width}x{height} px, so it goes out uncalibrated; calibrate for '
                'this size, or set image_width and image_height')
        self._images.publish(image.from_numpy(picture, 'rgb8', Image(header=header)))
        self._infos.publish(info)


def main(args=None):
    return run(CameraNode, args)
