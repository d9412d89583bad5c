"""Averages of deltas that stream through: FedAvg, FedProx, FedBuff; the base of many others."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.strategies.mean import RunningMean
from aggregator.strategies.options import NotNegative, Positive
from aggregator.strategies.port import (
    NO_STATE,
    Aggregation,
    LocalRule,
    Step,
    Strategy,
    Weighting,
    discount,
)
from edge.domain.weights import Weights, WeightUpdate, added


@dataclass(frozen=True, slots=True, kw_only=True)
class Averaging(Strategy):
    """θ ← θ + λ · mean of the deltas, unless ``step`` says otherwise."""

    server_learning_rate: Positive = 1.0  # λ

    @property
    def sees_updates(self) -> bool:
        """A sum is enough."""
        return False

    @property
    def streaming(self) -> bool:
        """A sum grows in place."""
        return True

    def begin(self, model: Weights, state: Weights = NO_STATE) -> Aggregation:
        """A sum of zero."""
        return _Streamed(self, model, state)

    def factor(self, delta: Weights) -> float:
        """What one delta is multiplied by before it is averaged."""
        del delta  # all alike
        return 1.0

    def step(self, model: Weights, state: Weights, mean: Weights) -> Step:
        """The next model and state by the mean delta."""
        return Step(added(model, mean, self.server_learning_rate), state)


class _Streamed(Aggregation):
    def __init__(self, strategy: Averaging, model: Weights, state: Weights) -> None:
        self._strategy, self._model, self._state = strategy, model, state
        self._mean = RunningMean(strategy.expects(model))

    def add(self, update: WeightUpdate, *, staleness: int = 0) -> None:
        weight = float(update.num_examples) if self._strategy.weighting == "examples" else 1.0
        scale = weight * discount(staleness) * self._strategy.factor(update.delta)
        self._mean.add(update.delta, scale=scale, weight=weight)

    def finish(self) -> Step:
        self._strategy.require(self._mean.count)
        return self._strategy.step(self._model, self._state, self._mean.take())


@dataclass(frozen=True, slots=True, kw_only=True)
class FedAvg(Averaging):
    """The mean weighted by examples (McMahan et al. 2017, Algorithm 1).

    ``weighting: equal`` is CLAP's θ + (λ / K) Σ Δₖ (Al-lahham et al. 2024).
    """

    name = "fedavg"
    weighting: Weighting = "examples"


@dataclass(frozen=True, slots=True, kw_only=True)
class FedProx(FedAvg):
    """FedAvg whose participants are held near the round's model by μ/2 ‖w - θ‖² (Li et al. 2020).

    The paper chooses μ from 0.001, 0.01, 0.1 and 1, by data set.
    """

    name = "fedprox"
    mu: NotNegative = 0.01

    @property
    def local(self) -> LocalRule:
        """The proximal term."""
        return LocalRule(proximal=self.mu)


@dataclass(frozen=True, slots=True, kw_only=True)
class FedBuff(Averaging):
    """The plain mean of a buffer of updates, late ones discounted (Nguyen et al. 2022, Alg. 1).

    The discount 1 / sqrt(1 + staleness) shrinks a delta, not the number it is divided by: a buffer
    of late updates makes a small step. Every strategy discounts like that; this one has the paper's
    weights.
    """

    name = "fedbuff"
