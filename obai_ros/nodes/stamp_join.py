# SPDX-License-Identifier: Apache-2.0
"""Puts together what several topics say about the same frame."""

import time

PATIENCE = 0.5
"""Seconds that frames wait for a part that they can do without."""


class StampJoin:
    """Collects parts by stamp and hands out each frame once, when it is complete.

    keep: number of frames that may wait for missing parts. A frame that is complete lets go of
    those that began before it, whose missing parts have been lost. spare: names of parts that
    frames do without once they have waited for one in vain for PATIENCE s, until one comes again.
    clock: seconds, monotonic.
    """

    def __init__(self, keep: int, spare: set = frozenset(), clock=time.monotonic):
        self._keep = keep
        self._spare = spare
        self._clock = clock
        self._since = None  # when the first frame had all but a spare part, if none has come since
        self._frames = {}  # by stamp, in the order of arrival: stamps may go back
        self._newest = None

    def add(self, stamp: int, part: str, value, expected: set) -> dict | None:
        """Add a part; return all parts of the frame if that makes it complete, otherwise None.

        expected: names of the parts that make a frame complete.
        """
        if part in self._spare:
            self._since = None
        if stamp == self._newest:
            return None
        parts = self._frames.setdefault(stamp, {})
        parts[part] = value
        if expected <= parts.keys() or (
                expected - self._spare <= parts.keys() and self._waited_in_vain()):
            self._newest = stamp
            self._forget(list(self._frames).index(stamp) + 1)
            return parts
        self._forget(len(self._frames) - self._keep)
        return None

    def clear(self) -> None:
        """Forget all frames."""
        self._frames, self._newest, self._since = {}, None, None

    def _waited_in_vain(self):
        now = self._clock()
        if self._since is None:
            self._since = now
        return now - self._since > PATIENCE

    def _forget(self, count):
        for stamp in list(self._frames)[:max(0, count)]:
            del self._frames[stamp]
