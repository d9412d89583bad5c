"""Causal smoothing: evidence gathers along the way of whatever it is evidence about.

A frame's score is not smoothed: a mean over time would go on when its cause has left the picture.
Nothing looks ahead: the value after a frame depends on that frame and those before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.domain.features import Cells

Array = npt.NDArray[np.float32]

FIRST_S = 0.125
"""Weight of a first observation, which has no interval yet: about one analysed frame."""

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

    def __init__(self, *, memory_s: float = 1.0, prior_s: float = 0.25) -> None:
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
            past = _Evidence(0.0, self._prior_s, time_s - FIRST_S)
        elapsed = min(max(time_s - past.time_s, 1e-3), self._memory_s)
        kept = math.exp(-elapsed / self._memory_s)
        total = kept * past.total + elapsed * surprise
        weight = kept * past.weight + elapsed
        self._tracks[track_id] = _Evidence(total, weight, time_s)
        return total / weight


class FlowSmoother:
    """The same for cells of a grid: the evidence of a cell moves on with what the cell shows.

    Where it came from is read between the four nearest cells, so that slow motion counts too.
    """

    def __init__(self, *, memory_s: float = 1.0, prior_s: float = 0.25) -> None:
        """See `TrackSmoother`."""
        self._memory_s = memory_s
        self._prior_s = prior_s
        self._evidence = np.zeros((2, 0, 0), np.float32)  # total and weight of each cell
        self._time_s = -math.inf

    def step(self, cells: Cells, surprise: Array, time_s: float) -> Array:
        """Take one frame's surprise of N cells (N,); return their smoothed ones (N,)."""
        if self._memory_s <= 0:
            return surprise
        rows, columns = cells.shape
        elapsed = min(max(time_s - self._time_s, 1e-3), self._memory_s)
        if self._evidence.shape[1:] != (rows + 1, columns + 1) or elapsed == self._memory_s:
            self._evidence = np.zeros((2, rows + 1, columns + 1), np.float32)
            elapsed = FIRST_S
        total, weight = self._came_from(cells, elapsed) * math.exp(-elapsed / self._memory_s)
        total, weight = total + elapsed * surprise, weight + elapsed
        column, row = cells.column_row.T
        self._evidence = np.zeros_like(self._evidence)
        self._evidence[:, row, column] = total, weight
        self._time_s = time_s
        return np.asarray(total / (weight + self._prior_s), np.float32)

    def _came_from(self, cells: Cells, elapsed_s: float) -> Array:
        """The evidence at the places where the cells were, bilinear, (2, N)."""
        limit = np.array(cells.shape[::-1]) - 1
        place = np.clip(cells.column_row - cells.velocity * elapsed_s, 0, limit)
        low = place.astype(np.intp)
        (right, down), (column, row) = (place - low).T, low.T
        upper = self._evidence[:, row, column] * (1 - right)
        upper = upper + self._evidence[:, row, column + 1] * right
        lower = self._evidence[:, row + 1, column] * (1 - right)
        lower = lower + self._evidence[:, row + 1, column + 1] * right
        return np.asarray(upper * (1 - down) + lower * down, np.float32)


class Smoother:
    """Evidence of one term's regions, whether they are objects or cells."""

    def __init__(self, *, memory_s: float, prior_s: float) -> None:
        self._tracks = TrackSmoother(memory_s=memory_s, prior_s=prior_s)
        self._cells = FlowSmoother(memory_s=memory_s, prior_s=prior_s)

    def step(
        self,
        track_id: npt.NDArray[np.int64],
        cells: Cells | None,
        surprise: Array,
        time_s: float,
    ) -> Array:
        """One frame's N regions: (N,) → (N,)."""
        if cells is None:
            return self._tracks.step(track_id, surprise, time_s)
        return self._cells.step(cells, surprise, time_s)
