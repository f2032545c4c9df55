# SPDX-License-Identifier: Apache-2.0
"""What waits between the callbacks of a node and its worker: the newest frame, the actions."""

import threading


class LatestFrame:
    """A queue of depth 1: the newest frame replaces one that nobody has taken yet.

    put() is called by the thread that receives, take() by the one that works. Stamps are integers
    (ns). A frame with the stamp of the one that waits replaces it without counting as dropped.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting = None
        self._skipped = []
        self.dropped = 0

    def begin(self) -> None:
        """Forget the frame that waits, and count dropped ones from zero."""
        self.clear()
        self.dropped = 0

    def put(self, stamp: int, frame) -> None:
        """Let `frame` be the next one to be taken."""
        with self._lock:
            if self._waiting is not None and self._waiting[0] != stamp:
                self._skipped.append(self._waiting[0])
                self.dropped += 1
            self._waiting = (stamp, frame)

    def take(self):
        """Return (stamp, frame, stamps dropped since the last take), or None if no frame waits."""
        with self._lock:
            if self._waiting is None:
                return None
            (stamp, frame), self._waiting = self._waiting, None
            skipped, self._skipped = self._skipped, []
            return stamp, frame, skipped

    def clear(self) -> None:
        """Forget the frame that waits."""
        with self._lock:
            self._waiting, self._skipped = None, []


class AppliedActions:
    """The actions that were applied, by the stamp of the image they acted on.

    At most `keep` of them, those that came last: the latest stamps may be of before the clock was
    set back. Safe to use from several threads.
    """

    def __init__(self, keep: int = 100):
        self._arrived = threading.Condition()
        self._by_stamp = {}  # in the order of arrival
        self._keep = keep
        self._interruptions = 0

    @property
    def interruptions(self) -> int:
        """How often it was interrupted so far."""
        with self._arrived:
            return self._interruptions

    def clear(self) -> None:
        """Forget all actions."""
        with self._arrived:
            self._by_stamp.clear()

    def add(self, stamp: int, action) -> None:
        with self._arrived:
            self._by_stamp.pop(stamp, None)
            self._by_stamp[stamp] = action
            while len(self._by_stamp) > self._keep:
                del self._by_stamp[next(iter(self._by_stamp))]
            self._arrived.notify_all()

    def wait(self, stamps, timeout: float, interruptions: int) -> bool:
        """Wait until there is an action for each of `stamps`, at most `timeout` s; say whether.

        interruptions: how many there were when this became worth waiting for: one more, even if
        it came before the waiting began, and there is none.
        """
        with self._arrived:
            self._arrived.wait_for(
                lambda: self._interruptions > interruptions
                or all(stamp in self._by_stamp for stamp in stamps), timeout)
            return all(stamp in self._by_stamp for stamp in stamps)

    def between(self, first: int, last: int) -> list:
        """Return [(stamp, action)], oldest first, with first <= stamp < last."""
        with self._arrived:
            return sorted(
                (item for item in self._by_stamp.items() if first <= item[0] < last),
                key=lambda item: item[0])

    def forget(self, before: int) -> None:
        """Drop the actions on frames older than `before`."""
        self._keep_if(lambda stamp: stamp >= before)

    def forget_since(self, first: int) -> None:
        """Drop the actions on the frame at `first` and on later ones: the clock was set back."""
        self._keep_if(lambda stamp: stamp < first)

    def _keep_if(self, wanted) -> None:
        with self._arrived:
            self._by_stamp = {stamp: action for stamp, action in self._by_stamp.items()
                              if wanted(stamp)}

    def interrupt(self) -> None:
        """End the waiting that is under way or about to begin, as if its time were up."""
        with self._arrived:
            self._interruptions += 1
            self._arrived.notify_all()
