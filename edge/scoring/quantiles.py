"""Quantiles of a stream that forgets: of levels, in decades of surprise, in constant memory."""

from __future__ import annotations

import numpy as np

from edge.domain.boxes import Floats

MEMORY = 20_000.0  # levels until one counts e times less: half an hour of two tracks at 5 Hz
HIGHEST = 16.0  # decades; whatever is above counts as that
BINS = 640  # 1/40 of a decade each, read between their edges
PRIOR = 500.0
"""Levels that count as seen at the beginning: calibrated ones, of which one in 10^x is above x."""


class DecayingQuantiles:
    """A histogram on a fixed grid whose counts decay, so that old levels give way to new ones."""

    def __init__(self, *, memory: float = MEMORY) -> None:
        """``memory``: how many levels later one counts e times less."""
        self._memory = memory
        self._edges = np.linspace(0, HIGHEST, BINS + 1)
        above = 10.0**-self._edges
        self._counts = PRIOR * (above[:-1] - above[1:]) / (1 - above[-1])

    def add(self, levels: Floats) -> None:
        """Take in (N,) levels of one moment."""
        self._counts *= np.exp(-len(levels) / self._memory)
        within = np.clip(levels, 0, HIGHEST)
        self._counts += np.histogram(within, self._edges)[0]

    def at(self, share: float) -> float:
        """The level that ``share``, in (0, 1), of what was seen lies below."""
        below = np.concatenate([[0.0], np.cumsum(self._counts)])
        return float(np.interp(share * below[-1], below, self._edges))
