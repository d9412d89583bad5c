"""Which pictures are analysed when the stream is faster than the analysis."""

from __future__ import annotations

from edge.errors import ConfigError

LEARNING = 0.1  # weight of the newest interval in the running estimate
MAX_INTERVAL_S = 2.0  # a longer pause says nothing about the stream's rate


class Sampler:
    """Picks the pictures nearest to an even grid of ``rate_hz``; None picks all of them.

    8 of 30, 5 of 25: the grid keeps the mean rate exact, and the picks differ from evenness by
    no more than half an interval of the stream. A gap restarts the grid.
    """

    def __init__(self, rate_hz: float | None) -> None:
        if rate_hz is not None and not rate_hz > 0:
            raise ConfigError(f"analysis rate {rate_hz} Hz: it must be above 0")
        self._period_s = 0.0 if rate_hz is None else 1.0 / rate_hz
        self._previous_s: float | None = None
        self._interval_s = 0.0  # between the stream's pictures
        self._next_s = 0.0

    def is_due(self, time_s: float) -> bool:
        """Whether the picture of this time is analysed; the time never steps back."""
        if self._previous_s is None:
            self._previous_s, self._next_s = time_s, time_s + self._period_s
            return True
        step_s = time_s - self._previous_s
        self._previous_s = time_s
        self._learn_interval(step_s)
        if time_s + self._interval_s / 2 < self._next_s:
            return False
        self._next_s += self._period_s
        if self._next_s <= time_s:
            self._next_s = time_s + self._period_s
        return True

    def _learn_interval(self, step_s: float) -> None:
        if not 0 < step_s <= MAX_INTERVAL_S:
            return
        if not self._interval_s:
            self._interval_s = step_s
        self._interval_s += LEARNING * (step_s - self._interval_s)
