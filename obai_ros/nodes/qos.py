# SPDX-License-Identifier: Apache-2.0
"""Every quality of service that the nodes use, in one place.

Images are published reliable (any subscriber connects) and subscribed best effort with depth 1 (a
slow node sees the newest frame, not the oldest; REP-2003). What must not get lost is reliable on
both sides, and what describes the present state is latched for those who come late. Each of them
can be changed without touching code, through the standard `qos_overrides` parameters, e.g.
`qos_overrides./obai/image_raw.subscription.reliability: reliable`.
"""

import re

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


_OVERRIDE = re.compile(r'qos_overrides\..+\.(publisher|subscription)\.(\w+)')


def override_refusal(name: str, value) -> str:
    """Return why `qos_overrides.*` cannot have this value, or '' if it can."""
    match = _OVERRIDE.fullmatch(name)
    kinds = {'history': HistoryPolicy, 'reliability': ReliabilityPolicy}
    if match is None or match[2] not in ('depth', *kinds):
        return (f'{name} is none, expected qos_overrides.<topic>.publisher or .subscription, and '
                'then .history, .depth or .reliability')
    if match[2] == 'depth':
        good, expected = type(value) is int and value >= 0, 'an integer of 0 or more'
    else:
        choices = [kind.name.lower() for kind in kinds[match[2]] if kind.name != 'UNKNOWN']
        good, expected = value in choices, f'one of {", ".join(choices)}'
    return '' if good else f'{name} is {value!r}, expected {expected}'


def overridable():
    """Return options that let `qos_overrides.<topic>.<publisher|subscription>.*` take effect."""
    return QoSOverridingOptions.with_default_policies()
