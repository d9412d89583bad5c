"""Media time to wall-clock time.

A picture's arrival is late by an unknown, jittering delay; its media time is exact but its origin
is arbitrary and may jump. `StreamClock` lays the smooth media time onto the smallest delay seen;
`MediaClock` serves footage that is read as fast as possible, where arrival means nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

MIN_STEP_S = 1e-3  # less is the same picture twice, or no clock at all
MAX_STEP_S = 2.0  # media time that leaps further between two pictures has jumped
MAX_DELAY_S = 10.0  # an estimate of capture older than this is wrong, not late
DRIFT = 1e-3  # how fast the smallest delay is forgotten: cameras' clocks are off by far less
SLOWEST = 0.95  # a clock that is ahead is not set back but runs slower
MAX_AHEAD_S = 5.0  # further ahead than this, media time is not trusted to set the pace
WALL_STEP_S = 0.1  # the wall clock was set (NTP, by hand); below is noise of reading it
DEFAULT_STEP_S = 0.04  # of footage whose times say nothing


class Clock(ABC):
    """Gives each picture of one camera its ``time_s``, which never steps back.

    ``elapsed_s`` is the media time since the first picture with the jumps taken out: as even as
    the camera's own clock, which makes it the measure for choosing every n-th picture.
    """

    def __init__(self) -> None:
        self.elapsed_s = 0.0

    @abstractmethod
    def stamp(self, media_s: float | None, *, received_s: float, wall_s: float) -> float:
        """Time of capture in seconds since the epoch.

        Args:
            media_s: the picture's time on the source's clock, None where it has none.
            received_s: ``time.monotonic()`` at its arrival, or when it was due.
            wall_s: ``time.time()`` at its arrival.

        """


class StreamClock(Clock):
    """For pictures that arrive at the pace of the world.

    Media time is unrolled into steps: a step that leaps or goes backwards (a reconnect, a wrapped
    counter, a restarted encoder) is replaced by the time that passed, so the unrolled time has
    no jumps and one clock serves all connections of a camera.
    """

    def __init__(self) -> None:
        super().__init__()
        self._media_s = 0.0
        self._received_s: float | None = None
        self._delay_s = 0.0  # received_s - elapsed_s of a picture that was not held up
        self._epoch_s = 0.0  # wall clock - monotonic clock
        self._time_s = 0.0

    def stamp(self, media_s: float | None, *, received_s: float, wall_s: float) -> float:
        """See `Clock.stamp`."""
        if abs(wall_s - received_s - self._epoch_s) > WALL_STEP_S:
            self._epoch_s = wall_s - received_s
        if self._received_s is None:
            return self._start(media_s, received_s)
        passed_s = max(received_s - self._received_s, 0.0)
        self._received_s = received_s
        step_s = self._step(media_s, passed_s)
        self.elapsed_s += step_s
        self._follow_delay(received_s - self.elapsed_s, step_s)
        captured_s = self.elapsed_s + self._delay_s + self._epoch_s
        pace_s = step_s if self._time_s - captured_s < MAX_AHEAD_S else passed_s
        self._time_s = max(captured_s, self._time_s + SLOWEST * pace_s)
        return self._time_s

    def _start(self, media_s: float | None, received_s: float) -> float:
        self._media_s = media_s or 0.0
        self._received_s = received_s
        self._delay_s = received_s
        self._time_s = received_s + self._epoch_s
        return self._time_s

    def _step(self, media_s: float | None, passed_s: float) -> float:
        """Media time since the previous picture, or the time that passed if that is unusable."""
        step_s = -1.0 if media_s is None else media_s - self._media_s
        usable = MIN_STEP_S <= step_s <= MAX_STEP_S
        self._media_s = self._media_s + passed_s if media_s is None else media_s
        return step_s if usable else passed_s

    def _follow_delay(self, delay_s: float, step_s: float) -> None:
        """Keep the smallest delay; let it grow slowly, or at once when it is absurd."""
        self._delay_s = min(delay_s, self._delay_s + DRIFT * step_s)
        if delay_s - self._delay_s > MAX_DELAY_S:
            self._delay_s = delay_s


class MediaClock(Clock):
    """For footage read as fast as possible: ``start_s`` plus media time.

    A missing, backward or leaping media time counts as one more step like the last good one.
    """

    def __init__(self, start_s: float) -> None:
        super().__init__()
        self._start_s = start_s
        self._media_s: float | None = None
        self._step_s = DEFAULT_STEP_S

    def stamp(self, media_s: float | None, *, received_s: float, wall_s: float) -> float:
        """See `Clock.stamp`; arrival is not looked at."""
        del received_s, wall_s
        if self._media_s is None:
            self._media_s = media_s or 0.0
            return self._start_s
        step_s = self._step_s if media_s is None else media_s - self._media_s
        if MIN_STEP_S <= step_s <= MAX_STEP_S:
            self._step_s = step_s
        self._media_s = self._media_s + self._step_s if media_s is None else media_s
        self.elapsed_s += self._step_s
        return self._start_s + self.elapsed_s
