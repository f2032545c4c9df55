# SPDX-License-Identifier: Apache-2.0
"""How beliefs follow from those that were answered last: next, again, out of date, or anew."""

import enum


class Succession(enum.Enum):
    """What beliefs are to whoever has answered others before."""

    NEXT = enum.auto()
    """Of the same run of the filter: objects can be followed on."""
    AGAIN = enum.auto()
    """The same ones, sent again because somebody has had no answer."""
    PAST = enum.auto()
    """Older ones, which nobody waits for any more."""
    ANEW = enum.auto()
    """Of a filter that started anew, or may have done so unseen: slots hold other objects."""


def succession(beliefs, last, missed: bool) -> Succession:
    """Tell what beliefs are after those that were answered last.

    beliefs, last: what has a `header` and the number of a `frame`, as SlotBeliefs and the reply
    to them; last is None if there is none. missed: whether some may have come since without being
    looked at. A filter counts its frames from 0, and stamps go up for as long as it does not start
    anew. Hence the first frame is not needed to notice that it did.
    """
    if last is None:
        return Succession.NEXT
    if (beliefs.frame, beliefs.header) == (last.frame, last.header):
        return Succession.AGAIN
    ahead = beliefs.frame - last.frame
    before, now = _moment(last), _moment(beliefs)
    if missed:
        return Succession.NEXT if ahead == 1 and now > before else Succession.ANEW
    if ahead > 0 and now > before:
        return Succession.NEXT
    if ahead <= 0 and now < before and beliefs.frame > 0:
        return Succession.PAST
    return Succession.ANEW


def _moment(message):
    return message.header.stamp.sec, message.header.stamp.nanosec
