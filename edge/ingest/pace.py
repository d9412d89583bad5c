"""Recorded footage at the pace of the world."""

from __future__ import annotations

import threading
import time

MAX_WAIT_S = 5.0  # a hole in the footage is not waited out


class Pace:
    """Holds each picture back until it would have been captured."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._origin_s: float | None = None  # monotonic time of media time 0

    def wait_for(self, media_s: float) -> float:
        """Return when the picture is due, or at once when ``stop`` is set.

        Returns when it was due, on the monotonic clock: that a busy machine wakes this thread up
        some milliseconds late is no property of the footage.
        """
        now_s = time.monotonic()
        wait_s = 0.0 if self._origin_s is None else self._origin_s + media_s - now_s
        if self._origin_s is None or not 0 <= wait_s <= MAX_WAIT_S:
            self._origin_s = now_s - media_s  # first picture, a jump, or a reader that lags
            return now_s
        self._stop.wait(wait_s)
        return self._origin_s + media_s
