"""What one camera's feed counts and shows."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edge.ingest.health import State

WINDOW_S = 3.0  # rates are means over windows of this length


@dataclass(frozen=True, slots=True)
class FeedSnapshot:
    """One camera's feed at one moment; counts are since the start."""

    state: State
    error: str | None  # why it is offline, or was last; None once recovered; never a password
    ended: bool  # the thread is gone: the footage ended, was unusable, or `stop` was called
    decoded: int  # intact pictures
    due: int  # of these, picked for analysis
    delivered: int  # of these, put into the mailbox: due - unhealthy
    unread: int  # of these, replaced before they were taken
    unhealthy: int  # withheld: the camera was frozen, covered, or not yet back
    corrupt: int  # damaged pictures, not among the decoded
    reconnects: int  # connections that failed, or could not be made
    decoded_hz: float  # over the last seconds
    due_hz: float


class Rate:
    """Events per second over the last complete window."""

    def __init__(self, now_s: float) -> None:
        self._start_s = now_s
        self._count = 0
        self._rate_hz = 0.0

    def tick(self, now_s: float) -> None:
        """Count one event."""
        self._count += 1
        if now_s - self._start_s >= WINDOW_S:
            self._rate_hz = self._count / (now_s - self._start_s)
            self._start_s, self._count = now_s, 0

    def at(self, now_s: float) -> float:
        """Return the latest rate in Hz; 0 when a whole window has passed without an end."""
        return self._rate_hz if now_s - self._start_s < 2 * WINDOW_S else 0.0


class Counters:
    """Written by the feed's thread alone; read by any."""

    def __init__(self) -> None:
        now_s = time.monotonic()
        self.error: str | None = None
        self.ended = False
        self.decoded = 0
        self.due = 0
        self.delivered = 0
        self.unhealthy = 0
        self.reconnects = 0
        self.last_picture_s = now_s
        self._decoded_rate = Rate(now_s)
        self._due_rate = Rate(now_s)

    def count_decoded(self, received_s: float) -> None:
        """One more intact picture."""
        self.decoded += 1
        self.last_picture_s = received_s
        self._decoded_rate.tick(received_s)

    def count_due(self, received_s: float) -> None:
        """One more picture picked for analysis."""
        self.due += 1
        self._due_rate.tick(received_s)

    def snapshot(self, now_s: float, *, state: State, unread: int, corrupt: int) -> FeedSnapshot:
        """All of it at ``now_s``, with what others count for the feed."""
        return FeedSnapshot(
            state=state,
            error=self.error,
            ended=self.ended,
            decoded=self.decoded,
            due=self.due,
            delivered=self.delivered,
            unread=unread,
            unhealthy=self.unhealthy,
            corrupt=corrupt,
            reconnects=self.reconnects,
            decoded_hz=self._decoded_rate.at(now_s),
            due_hz=self._due_rate.at(now_s),
        )
