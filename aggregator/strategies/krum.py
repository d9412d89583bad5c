"""Krum and Multi-Krum: trust those who are close to many (Blanchard et al. 2017).

Flower averages Multi-Krum's choice by the number of examples, and takes a round that is too small
for the theorem; here everybody chosen counts the same, and fewer than 2 f + 3 updates are an error.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from aggregator.strategies.gathered import Comparing, Floats, Rows
from aggregator.strategies.options import Count
from edge.domain.weights import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nearest(Comparing):
    """The mean of the updates with the lowest score."""

    hostile: Count = 1  # f, how many participants may be

    @property
    def min_updates(self) -> int:
        """Proposition 4.2 needs 2 f + 2 < K."""
        return 2 * self.hostile + 3

    @abstractmethod
    def chosen(self, count: int) -> int:
        """How many of ``count`` updates are averaged."""

    def combine(self, rows: Rows) -> Weights:
        """Distances once, from the Gram matrix."""
        best = np.argsort(self._scores(rows.gram()), kind="stable")[: self.chosen(len(rows))]
        shares = np.zeros(len(rows))
        shares[best] = 1
        return rows.mean(shares)

    def _scores(self, gram: Floats) -> Floats:
        """Sum of squared distances to the K - f - 2 nearest others, (K,)."""
        squares = np.diag(gram)
        distances = np.maximum(squares[:, None] + squares[None, :] - 2 * gram, 0)
        np.fill_diagonal(distances, np.inf)  # nobody vouches for oneself
        nearest = np.sort(distances, axis=1)[:, : len(gram) - self.hostile - 2]
        return np.asarray(nearest.sum(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Krum(_Nearest):
    """The one update with the lowest score."""

    name = "krum"

    def chosen(self, count: int) -> int:
        """One, of however many."""
        del count
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiKrum(_Nearest):
    """The mean of the best; by default of K - f - 2, the most that the paper's proof covers."""

    name = "multi_krum"
    keep: Annotated[int, Field(ge=1)] | None = None  # m

    def chosen(self, count: int) -> int:
        """As configured, or what is proven."""
        return count - self.hostile - 2 if self.keep is None else min(self.keep, count)
