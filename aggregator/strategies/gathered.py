"""Strategies that compare a round's updates with each other, and so keep all of them.

Everybody counts the same: the number of examples is the sender's own word, and a liar would buy
weight with it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from aggregator.strategies.mean import RunningMean
from aggregator.strategies.options import Positive
from aggregator.strategies.port import NO_STATE, Aggregation, Step, Strategy, discount
from edge.domain.weights import Weights, WeightUpdate, added, shapes_of

_CHUNK = 16 * 1024  # coordinates of all updates that are compared at a time

Floats = npt.NDArray[np.float64]
_Float = TypeVar("_Float", np.float32, np.float64)
_Block: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[_Float]]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The deltas of K participants: a (K, P) matrix that is never put together."""

    deltas: Sequence[Weights]  # K, all with the same names
    discounts: Floats  # (K,) what each delta is multiplied by, for its age

    def __len__(self) -> int:
        return len(self.deltas)

    def blocks(self, name: str, precision: type[_Float]) -> Iterator[tuple[slice, _Block[_Float]]]:
        """Pieces of one array: where in it when flat, and copies of the values there, (K, n)."""
        flat = [delta[name].reshape(-1) for delta in self.deltas]
        factors = self.discounts.astype(precision)[:, None]
        for start in range(0, flat[0].size, _CHUNK):
            place = slice(start, start + _CHUNK)
            block = np.stack([row[place] for row in flat], dtype=precision)
            block *= factors
            yield place, block

    def gram(self) -> Floats:
        """Inner products of all pairs, (K, K), in float64: distances are differences of these."""
        products = np.zeros((len(self), len(self)))
        for name in self.deltas[0]:
            for _, block in self.blocks(name, np.float64):
                products += block @ block.T
        return products

    def mean(self, shares: Floats, factors: Floats | float = 1.0) -> Weights:
        """Σ shareᵢ factorᵢ Δᵢ / Σ shareᵢ; both (K,)."""
        mean = RunningMean(shapes_of(self.deltas[0]))
        scales = shares * factors * self.discounts
        for delta, scale, share in zip(self.deltas, scales, shares, strict=True):
            if share:
                mean.add(delta, scale=scale, weight=share)
        return mean.take()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing(Strategy):
    """θ ← θ + λ · what ``combine`` makes of all deltas."""

    server_learning_rate: Positive = 1.0  # λ

    @property
    def sees_updates(self) -> bool:
        """Every one."""
        return True

    @property
    def streaming(self) -> bool:
        """Memory is O(participants)."""
        return False

    def begin(self, model: Weights, state: Weights = NO_STATE) -> Aggregation:
        """An empty collection."""
        return _Gathered(self, model, state)

    @abstractmethod
    def combine(self, rows: Rows) -> Weights:
        """One delta from K ≥ ``min_updates``."""


class _Gathered(Aggregation):
    def __init__(self, strategy: Comparing, model: Weights, state: Weights) -> None:
        self._strategy, self._model, self._state = strategy, model, state
        self._updates: list[tuple[WeightUpdate, int]] = []

    def add(self, update: WeightUpdate, *, staleness: int = 0) -> None:
        self._updates.append((update, staleness))

    def finish(self) -> Step:
        self._strategy.require(len(self._updates))
        # sorted: who came first must not decide a tie
        ordered = sorted(self._updates, key=lambda pair: (pair[0].participant, pair[0].round))
        rows = Rows(
            [update.delta for update, _ in ordered],
            np.array([discount(staleness) for _, staleness in ordered]),
        )
        delta = self._strategy.combine(rows)
        return Step(added(self._model, delta, self._strategy.server_learning_rate), self._state)
