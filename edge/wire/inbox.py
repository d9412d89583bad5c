"""What was heard and not yet handled: bounded, from any thread to one."""

from __future__ import annotations

import queue
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue that never makes its writers wait, except by ``insist``."""

    def __init__(self, size: int) -> None:
        self.dropped = 0  # what found no room
        self._queue: queue.Queue[T | None] = queue.Queue(size)

    def put(self, item: T) -> None:
        """Add, or drop and count: whoever sent it sends it again."""
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self.dropped += 1

    def insist(self, item: T) -> None:
        """Add; wait for room."""
        self._queue.put(item)

    def wake(self) -> None:
        """Let ``take`` return even though nothing was heard."""
        if self._queue.empty():
            self._queue.put(None)

    def take(self, patience_s: float) -> list[T]:
        """All that waits, oldest first; empty after ``patience_s`` or ``wake``."""
        found: list[T | None] = []
        try:
            found.append(self._queue.get(timeout=patience_s))
            for _ in range(self._queue.maxsize):
                found.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return [item for item in found if item is not None]
