# SPDX-License-Identifier: Apache-2.0
"""Slots, actions and goals as RViz markers, in the plane z = 0 of the image's frame."""

from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from obai_ros.messages.overlay import slot_colours

_WHITE = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)


def frame_markers(header, beliefs, field, goals, metres_per_px: float) -> MarkerArray:
    """Return the markers of one frame; they replace those of the frame before.

    beliefs: as read by obai_ros.messages.beliefs. field: (row [P], col [P], acceleration [P, 2]
    px/frame^2): each an arrow from its pixel, as long as what it adds to the next frame. goals:
    of overlay.goal_marks. The origin is the centre of the image; x to the right, y down.
    """
    def point(x, y):
        return Point(x=float(x - beliefs.width / 2) * metres_per_px,
                     y=float(y - beliefs.height / 2) * metres_per_px)

    markers = [Marker(header=header, action=Marker.DELETEALL)]

    def add(namespace, kind, colour, size, points=(), position=None):
        marker = Marker(header=header, ns=namespace, id=len(markers), type=kind,
                        action=Marker.ADD, color=colour, points=list(points))
        marker.pose.orientation.w = 1.0
        if position is not None:
            marker.pose.position = position
        marker.scale.x, marker.scale.y, marker.scale.z = (
            float(length * metres_per_px) for length in size)
        markers.append(marker)

    for slot, colour in enumerate(slot_colours(len(beliefs.mass))):
        if slot == beliefs.background or beliefs.empty[slot]:
            continue
        # A disc of the area that is seen of the object.
        diameter = 2 * (beliefs.mass[slot] / 3.1416) ** 0.5
        add('slots', Marker.CYLINDER, _colour(colour, 0.6),
            (diameter, diameter, 0.1), position=point(*beliefs.centroid[slot]))
    for row, col, (ax, ay) in zip(*field):
        add('actions', Marker.ARROW, _WHITE, (0.8, 2.0, 2.0),
            points=[point(col + 0.5, row + 0.5), point(col + 0.5 + ax, row + 0.5 + ay)])
    for x, y, colour in goals:
        arms = [(x - 3, y), (x + 3, y), (x, y - 3), (x, y + 3)]
        add('goals', Marker.LINE_LIST, _colour(colour), (0.5, 0.0, 0.0),
            points=[point(*arm) for arm in arms])
    return MarkerArray(markers=markers)


def _colour(rgb, alpha=1.0):
    red, green, blue = (float(channel) / 255 for channel in rgb)
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)
