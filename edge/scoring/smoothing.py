"""Causal smoothing: evidence gathers along a track, and outlasts a short loss of it.

Nothing looks ahead: the value after a frame depends on that frame and those before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

FORGET_S = 30.0
"""A track unseen for longer is forgotten, so memory is bounded by what is in sight."""


@dataclass(slots=True)
class _Evidence:
    total: float
    weight: float
    time_s: float


class TrackSmoother:
    """Exponentially weighted mean of a track's surprise, over its past only.

    The mean is over what was seen (a young track is not pulled to zero by a past it does not
    have), except for ``prior_s`` seconds of nothing unusual that every track starts with.
    """

    def __init__(self, *, memory_s: float = 2.0, prior_s: float = 0.25) -> None:
        """``memory_s``: time constant; 0 passes every value through."""
        self._memory_s = memory_s
        self._prior_s = prior_s
        self._tracks: dict[int, _Evidence] = {}

    def step(self, track_id: npt.NDArray[np.int64], surprise: Array, time_s: float) -> Array:
        """Take one frame's surprise of N tracks (N,); return their smoothed ones (N,)."""
        if self._memory_s <= 0:
            return surprise
        smoothed = [
            self._one(key, value, time_s)
            for key, value in zip(track_id.tolist(), surprise.tolist(), strict=True)
        ]
        stale = [k for k, v in self._tracks.items() if time_s - v.time_s > FORGET_S]
        for key in stale:
            del self._tracks[key]
        return np.array(smoothed, np.float32)

    def __len__(self) -> int:
        """Tracks remembered."""
        return len(self._tracks)

    def _one(self, track_id: int, surprise: float, time_s: float) -> float:
        """An observation weighs the time since the one before, so the frame rate cancels out."""
        past = self._tracks.get(track_id)
        if past is None:
            first_s = 0.125  # the first has no interval yet: about one analysed frame
            past = _Evidence(0.0, self._prior_s, time_s - first_s)
        elapsed = min(max(time_s - past.time_s, 1e-3), self._memory_s)
        kept = math.exp(-elapsed / self._memory_s)
        total = kept * past.total + elapsed * surprise
        weight = kept * past.weight + elapsed
        self._tracks[track_id] = _Evidence(total, weight, time_s)
        return total / weight


class FrameSmoother:
    """Largest recent frame score, fading: a detector that blinks does not end an event."""

    def __init__(self, *, fade_s: float = 0.5) -> None:
        """``fade_s``: time constant; 0 passes every value through."""
        self._fade_s = fade_s
        self._held = 0.0
        self._time_s = -math.inf

    def step(self, score: float, time_s: float) -> float:
        """Take one frame's score; return the smoothed one, never below it."""
        if self._fade_s > 0 and score < self._held:
            score = max(score, self._held * math.exp((self._time_s - time_s) / self._fade_s))
        self._held, self._time_s = score, time_s
        return score
