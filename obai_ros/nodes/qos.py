# SPDX-License-Identifier: Apache-2.0
"""Every quality of service that the nodes use, in one place.

Images are published reliable (any subscriber connects) and subscribed best effort with depth 1 (a
slow node sees the newest frame, not the oldest; REP-2003). What must not get lost is reliable on
both sides, and what describes the present state is latched for those who come late. Each of them
can be changed without touching code, through the standard `qos_overrides` parameters, e.g.
`qos_overrides./obai/image_raw.subscription.reliability: reliable`.
"""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

IMAGE_OUT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE)
"""Images as published: raw, label images, reconstructions, overlays (and camera_info)."""

IMAGE_IN = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Images as subscribed: the newest one, or none."""

DATA = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE)
"""slots, action_field, applied_action_field, ground_truth/objects, ~/status, ~/markers,
/diagnostics, and requests of a goal."""

LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""Metadata and the goal in force: the last value reaches whoever subscribes later."""

JOIN = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Images that a viewer joins with other topics by stamp: a few of them, since parts of one frame
do not arrive together."""

RECORD = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=200, reliability=ReliabilityPolicy.RELIABLE)
"""Any topic as subscribed by who needs every message, however busy the machine is."""


def overridable():
    """Return options that let `qos_overrides.<topic>.<publisher|subscription>.*` take effect."""
    return QoSOverridingOptions.with_default_policies()
