"""Robust statistics of each coordinate by itself: trimmed mean and median (Yin et al. 2018).

Coordinates are put in order by a sorting network, whose every exchange is one minimum and one
maximum over thousands of coordinates at a time: no branch, no transposition, no gap in memory.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from aggregator.strategies.gathered import Comparing, Rows
from aggregator.strategies.mean import Vector
from aggregator.strategies.options import Trim
from edge.domain.weights import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class _Middle(Comparing):
    """The mean of the middle ranks of every coordinate."""

    @abstractmethod
    def cut(self, count: int) -> int:
        """How many of ``count`` values are left out at either end."""

    def combine(self, rows: Rows) -> Weights:
        """Block by block: 2 K · 16 384 numbers of working memory."""
        cut = self.cut(len(rows))
        ranks = range(cut, len(rows) - cut)
        combined = {name: np.empty_like(array) for name, array in rows.deltas[0].items()}
        for name, array in combined.items():
            flat = array.reshape(-1)
            for place, block in rows.blocks(name, np.float32):
                flat[place] = _mean_of_ranks(block, ranks)
        return combined


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimmedMean(_Middle):
    """Without the ⌊trim · K⌋ smallest and largest: endures as many hostile participants.

    ``trim`` 0.2 is Flower's default (``beta``); the paper asks only that it exceed their share.
    """

    name = "trimmed_mean"
    trim: Trim = 0.2

    def cut(self, count: int) -> int:
        """A share, rounded down."""
        return int(self.trim * count)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateMedian(_Middle):
    """The median, of an even number the mean of the middle two: endures nearly half."""

    name = "coordinate_median"

    def cut(self, count: int) -> int:
        """All but one or two."""
        return (count - 1) // 2


def _mean_of_ranks(block: Vector, ranks: range) -> Vector:
    """Mean over the given ranks of each column of (K, n); rank 0 is the smallest. Spoils block."""
    rows, spare = list(block), np.empty_like(block[0])
    for low, high in _exchanges(len(rows), ranks):
        np.minimum(rows[low], rows[high], out=spare)
        np.maximum(rows[low], rows[high], out=rows[high])
        rows[low], spare = spare, rows[low]
    total = rows[ranks[0]]
    for rank in ranks[1:]:
        total += rows[rank]
    return np.asarray(total * np.float32(1 / len(ranks)))


@cache
def _exchanges(count: int, ranks: range) -> Sequence[tuple[int, int]]:
    """Pairs to put in order, one after the other, until these ranks are right.

    Batcher's merge exchange (Knuth, The Art of Computer Programming 3, 5.2.2, Algorithm M) less
    what none of the ranks depends on.
    """
    needed, kept = set(ranks), []
    for low, high in reversed(_merge_exchange(count)):
        if low in needed or high in needed:
            needed |= {low, high}
            kept.append((low, high))
    return kept[::-1]


def _merge_exchange(count: int) -> list[tuple[int, int]]:
    top = 1 << ((count - 1).bit_length() - 1) if count > 1 else 0
    pairs, p = [], top
    while p:
        q, r, d = top, 0, p
        while d:
            pairs += [(i, i + d) for i in range(count - d) if i & p == r]
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return pairs
