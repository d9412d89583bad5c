"""What was heard and not yet handled: bounded, from any thread to one."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue that never makes its writers wait, except by ``insist``."""

    def __init__(self, size: int, *, limit_bytes: int) -> None:
        """At most ``size`` items wait, and ``limit_bytes`` in all."""
        self.dropped = 0  # what found no room
        self._queue: queue.Queue[tuple[T, int] | None] = queue.Queue(size)
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, item: T, size_bytes: int) -> None:
        """Add, or drop and count: whoever sent it sends it again."""
        with self._lock:
            if self._bytes + size_bytes > self._limit_bytes:
                self.dropped += 1
                return
            self._bytes += size_bytes
            try:
                self._queue.put_nowait((item, size_bytes))
            except queue.Full:
                self._bytes -= size_bytes
                self.dropped += 1

    def insist(self, item: T) -> None:
        """Add; wait for room."""
        self._queue.put((item, 0))

    def wake(self) -> None:
        """Let ``take`` return even though nothing was heard."""
        if self._queue.empty():
            with suppress(queue.Full):  # then it returns anyway
                self._queue.put_nowait(None)

    def take(self, patience_s: float) -> list[T]:
        """All that waits, oldest first; empty after ``patience_s`` or ``wake``."""
        found: list[tuple[T, int] | None] = []
        try:
            found.append(self._queue.get(timeout=patience_s))
            for _ in range(self._queue.maxsize):
                found.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        heard = [entry for entry in found if entry is not None]
        with self._lock:
            self._bytes -= sum(size_bytes for _, size_bytes in heard)
        return [item for item, _ in heard]
