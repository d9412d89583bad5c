"""What the running process costs."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def rss_bytes() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def cpu_s() -> float:
    """Processor seconds of this process so far, all threads."""
    times = os.times()
    return times.user + times.system


class Latencies:
    """The latest latencies, bounded; from any thread."""

    def __init__(self, keep: int = 4096) -> None:
        self._ms: deque[float] = deque(maxlen=keep)

    def add(self, ms: float) -> None:
        """Note one."""
        self._ms.append(ms)

    def percentile(self, q: float) -> float | None:
        """The q-th percentile in ms; None when nothing was noted."""
        noted = self.noted_ms()
        return float(np.percentile(noted, q)) if noted else None

    def noted_ms(self) -> list[float]:
        """All that are kept, oldest first."""
        return list(self._ms)

    def clear(self) -> None:
        """Begin anew."""
        self._ms.clear()


class Stopwatch:
    """Mean milliseconds per frame of each stage; several threads may time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total_s: dict[str, float] = {}
        self._frames: dict[str, int] = {}

    @contextmanager
    def stage(self, name: str, frames: int = 1) -> Iterator[None]:
        """Time what is inside; it served ``frames`` frames."""
        began_s = time.perf_counter()
        try:
            yield
        finally:
            took_s = time.perf_counter() - began_s
            with self._lock:
                self._total_s[name] = self._total_s.get(name, 0.0) + took_s
                self._frames[name] = self._frames.get(name, 0) + frames

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self._total_s.clear()
            self._frames.clear()

    def means_ms(self) -> dict[str, float]:
        """Stage to mean ms per frame since the start."""
        with self._lock:
            return {
                name: 1e3 * total_s / max(self._frames[name], 1)
                for name, total_s in self._total_s.items()
            }
