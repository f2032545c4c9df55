# SPDX-License-Identifier: Apache-2.0
"""Say a thing once, count the rest: what is wrong with what a node receives."""

import re
import threading
import time


class Complaints:
    """Counts troubles by kind and says each sentence at most every `period` s.

    Sentences that differ in numbers only are the same. say: what takes a sentence, such as the
    logger's `error`; clock: seconds, monotonic.
    """

    def __init__(self, say, period: float = 5.0, clock=time.monotonic):
        self._say = say
        self._period = period
        self._clock = clock
        self._lock = threading.Lock()
        self._spoken = {}
        self._silent = {}
        self.counts = {}

    def begin(self) -> None:
        """Count from zero."""
        with self._lock:
            self.counts.clear()

    def add(self, kind: str, sentence: str) -> None:
        """Count one trouble of this kind; say the sentence unless that was just done."""
        shape = kind, re.sub(r'[-\d.]+', '', sentence)
        with self._lock:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            now = self._clock()
            if now - self._spoken.get(shape, -float('inf')) < self._period:
                self._silent[shape] = self._silent.get(shape, 0) + 1
                return
            self._spoken[shape] = now
            silent = self._silent.pop(shape, 0)
        self._say(f'{sentence} ({silent} more like this since the last message)'
                  if silent else sentence)

    def count(self, *kinds: str) -> int:
        """Return how many troubles of these kinds there were; of all kinds if none is named."""
        return sum(self.counts.get(kind, 0) for kind in kinds or tuple(self.counts))
