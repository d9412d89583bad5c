"""A server that optimises, the mean delta being its gradient (Reddi et al. 2021, Algorithm 2).

Per coordinate, with Δ the mean delta, m and v the moments of the previous round:

* FedAvgM: m ← β m + Δ, θ ← θ + λ m (Hsu et al. 2019; as Flower).
* FedAdam: m ← β₁ m + (1 - β₁) Δ, v ← β₂ v + (1 - β₂) Δ², θ ← θ + λ m / (√v + τ).
* FedYogi: the same, with v ← v - (1 - β₂) Δ² sign(v - Δ²).

As in the paper v begins at τ² and nothing corrects the bias of the first rounds. Flower begins at
0 and multiplies FedAdam's λ by √(1 - β₂ʳ⁺¹) / (1 - β₁ʳ⁺¹) in round r: set apart from these two, its
numbers are ours. The paper tunes λ by data set; the defaults are Flower's.

Means are weighted by examples, as in the paper's experiments. The moments are one or two models
more in memory, twice that while a round ends: the old ones stay until the new are committed.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from aggregator.strategies.averaging import FedAvg
from aggregator.strategies.mean import Vector
from aggregator.strategies.options import Decay, Positive
from aggregator.strategies.port import Step
from edge.domain.weights import Weights, added

_FIRST, _SECOND = "first_moment/", "second_moment/"


@dataclass(frozen=True, slots=True, kw_only=True)
class FedAvgM(FedAvg):
    """FedAvg with momentum."""

    name = "fedavgm"
    momentum: Decay = 0.9

    def step(self, model: Weights, state: Weights, mean: Weights) -> Step:
        """Roll on."""
        moments = {
            name: np.float32(self.momentum) * state.get(_FIRST + name, np.float32(0)) + delta
            for name, delta in mean.items()
        }
        state = {_FIRST + name: moment for name, moment in moments.items()}
        return Step(added(model, moments, self.server_learning_rate), state)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Adaptive(FedAvg):
    """A step per coordinate, shorter where deltas have been large."""

    beta1: Decay = 0.9
    beta2: Decay = 0.99
    tau: Positive = 1e-3

    @abstractmethod
    def second_moment(self, previous: Vector, square: Vector) -> Vector:
        """The running mean of Δ²."""

    def step(self, model: Weights, state: Weights, mean: Weights) -> Step:
        """Name by name, so that temporary arrays have the size of one layer."""
        following, moments = dict(model), dict[str, Vector]()
        beta, tau = np.float32(self.beta1), np.float32(self.tau)
        rate = np.float32(self.server_learning_rate)
        for name, delta in mean.items():
            first = beta * state.get(_FIRST + name, np.float32(0)) + (1 - beta) * delta
            begun = state.get(_SECOND + name, np.full_like(delta, tau * tau))
            second = self.second_moment(begun, delta * delta)
            way = rate * first / (np.sqrt(second) + tau)
            following[name] = np.asarray(model[name] + way, np.float32)
            moments |= {_FIRST + name: first, _SECOND + name: second}
        return Step(following, moments)


@dataclass(frozen=True, slots=True, kw_only=True)
class FedAdam(_Adaptive):
    """Adam on the server."""

    name = "fedadam"
    server_learning_rate: Positive = 0.1

    def second_moment(self, previous: Vector, square: Vector) -> Vector:
        """Forgets at a constant rate."""
        beta = np.float32(self.beta2)
        return beta * previous + (1 - beta) * square


@dataclass(frozen=True, slots=True, kw_only=True)
class FedYogi(_Adaptive):
    """Yogi on the server: the second moment changes by no more than the newest square."""

    name = "fedyogi"
    server_learning_rate: Positive = 0.01

    def second_moment(self, previous: Vector, square: Vector) -> Vector:
        """Forgets slowly."""
        change: Vector = np.float32(1 - self.beta2) * square * np.sign(previous - square)
        return previous - change
