# SPDX-License-Identifier: Apache-2.0
"""How perception is doing: ~/status per image, /diagnostics at 1 Hz, a word if no image comes."""

import os
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.time import Time
from rclpy.utilities import get_rmw_implementation_identifier

from obai_ros.msg import PerceptionStatus
from obai_ros.nodes import qos
from obai_ros.transport import profile_file, PROFILES

_SILENCE = 5.0
"""Seconds without an image after which that is said, and said again."""


_RECENT = 2.0
"""Seconds without an answer after which it is amiss that images are refused."""


_ADVICE = 60.0
"""Seconds after which it is said again why images are lost."""

_FEW = 5
"""Images that may be lost without a word, while both sides still find each other."""

_LARGE = 100_000
"""Bytes of an image from which on Fast DDS by itself is known to lose some."""


class PerceptionHealth:
    """Counts, measures and reports for one perception node."""

    def __init__(self, node):
        self._node = node
        self._observer = None
        self._topic = None
        self._lost = 0
        self._size = None  # of the newest image, bytes
        self._idle = 'not active'
        self._quiet_since = 0.0
        self._answered = 0.0
        self._refusal = ''  # why the newest image was refused, '' if it was not
        self._processed = self._processed_before = 0
        self._status = PerceptionStatus()
        self._publisher = node.create_publisher(
            PerceptionStatus, '~/status', qos.DATA, qos_overriding_options=qos.overridable())
        self._diagnostics = node.create_publisher(
            DiagnosticArray, '/diagnostics', qos.DATA, qos_overriding_options=qos.overridable())
        # Not by /clock: that it stands still is among what there may be to say.
        node.create_timer(1.0, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def begin(self, observer) -> None:
        """Count from zero for a newly configured observer (None: unconfigured)."""
        self._observer = observer
        self._processed = self._processed_before = 0
        self._status = PerceptionStatus(device=str(observer.device) if observer else '')

    def watch(self, topic, idle: str = 'not active') -> None:
        """Expect images on this topic from now on; None: do not, for the reason `idle`."""
        self._topic, self._idle = topic, idle
        self._quiet_since = time.monotonic()
        self._answered, self._refusal = -float('inf'), ''

    def seen(self, size: int) -> None:
        """Note that an image of so many bytes arrived."""
        self._quiet_since, self._size = time.monotonic(), size

    def lost(self, event) -> None:
        """Note that images were lost on the way, and say what helps if they are large."""
        self._lost += event.total_count_change
        if (self._lost < _FEW or self._size is not None and self._size < _LARGE
                or 'fastrtps' not in get_rmw_implementation_identifier()):
            return
        size = '' if self._size is None else f' (these have {self._size / 1e6:.1f} MB)'
        own = ', as this process has been' if os.environ.get(PROFILES) else ''
        self._node.get_logger().warning(
            f'{self._lost} images on {self._topic} were lost on the way so far: Fast DDS by '
            f'itself loses large ones{size}; start all processes, the driver of the camera too, '
            f'with {PROFILES}={profile_file()}{own}', throttle_duration_sec=_ADVICE)

    def refused(self, reason: str) -> None:
        """Note that an image was refused."""
        self._refusal = reason

    def answered(self) -> None:
        """Note that there are beliefs about an image that has come, new or again."""
        self._answered, self._refusal = time.monotonic(), ''

    def processed(self, header, percept, dropped: int, convert: float, infer: float,
                  publish: float) -> None:
        """Report on the image with this header; times in s."""
        self._processed += 1
        self.answered()
        age = self._node.get_clock().now() - Time.from_msg(
            header.stamp, clock_type=self._node.get_clock().clock_type)
        self._status = PerceptionStatus(
            header=header, device=str(self._observer.device), convert_s=convert, infer_s=infer,
            publish_s=publish, age_s=age.nanoseconds * 1e-9, processed=self._processed,
            dropped=dropped, refused=self._node.complaints.count('image', 'action'),
            iterations=percept.iterations, free_energy=float(percept.free_energy[0]))
        self._publisher.publish(self._status)

    def _tick(self):
        self._say_if_silent()
        status = self._status
        level, message = self._judge()
        rate, self._processed_before = self._processed - self._processed_before, self._processed
        values = {
            'device': status.device or 'none',
            'model': self._observer.model_id if self._observer else 'none',
            'images per s': rate,
            'processed': self._processed,
            'dropped': status.dropped,
            'lost on the way': self._lost,
            'refused': self._node.complaints.count('image', 'action'),
            'actions missing': self._node.complaints.count('missing'),
            'inference, ms': f'{status.infer_s * 1e3:.1f}',
            'age, ms': f'{status.age_s * 1e3:.1f}',
            'free energy, nats': f'{status.free_energy:.1f}',
        }
        report = DiagnosticArray()
        report.header.stamp = self._node.get_clock().now().to_msg()
        report.status = [DiagnosticStatus(
            level=level, message=message, hardware_id=status.device or 'none',
            name=f'{self._node.get_fully_qualified_name().lstrip("/")}: inference',
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()])]
        self._diagnostics.publish(report)

    def _judge(self):
        if self._observer is None:
            return DiagnosticStatus.ERROR, 'not configured'
        if self._topic is None:
            return DiagnosticStatus.WARN, self._idle
        if time.monotonic() - self._quiet_since > _SILENCE:
            return DiagnosticStatus.WARN, f'no image on {self._topic}'
        if self._refusal and time.monotonic() - self._answered > _RECENT:
            return DiagnosticStatus.WARN, f'all images refused: {self._refusal}'
        return DiagnosticStatus.OK, 'processing images'

    def _say_if_silent(self):
        if self._topic is None or time.monotonic() - self._quiet_since <= _SILENCE:
            return
        publishers = self._node.count_publishers(self._topic)
        if publishers:
            advice = 'check that their QoS is compatible and that they send'
        elif self._node.count_publishers(f'{self._topic}/compressed'):
            advice = 'there are compressed ones: set image_transport to compressed'
        elif self._topic.endswith('/compressed') and self._node.count_publishers(
                self._topic.removesuffix('/compressed')):
            advice = 'there are raw ones: set image_transport to raw'
        else:
            advice = 'start a camera or the simulator, or remap image_raw to its topic'
        self._node.get_logger().warning(
            f'no image on {self._topic} for {_SILENCE:g} s (publishers: {publishers}); {advice}',
            throttle_duration_sec=_SILENCE)
