"""No update may be longer than a bound: who shouts is not heard further (Sun et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggregator.strategies.averaging import FedAvg
from aggregator.strategies.gathered import Comparing, Floats, Rows
from aggregator.strategies.options import Positive
from aggregator.strategies.port import Weighting
from edge.domain.weights import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class NormClipping(FedAvg):
    """The mean of Δᵢ · min(1, bound / ‖Δᵢ‖); streams.

    ``‖·‖`` is the L2 norm over all arrays. The paper gives no bound that would suit every model;
    ``median_norm_clipping`` needs none.
    """

    name = "norm_clipping"
    bound: Positive
    weighting: Weighting = "equal"

    @property
    def sees_updates(self) -> bool:
        """Their norms."""
        return True

    def factor(self, delta: Weights) -> float:
        """Shortens what is too long."""
        return float(_shortening(_norm(delta), self.bound))


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianNormClipping(Comparing):
    """The bound is the median of the round's norms: holds while the honest are more than half."""

    name = "median_norm_clipping"

    def combine(self, rows: Rows) -> Weights:
        """Two passes: norms, then the mean."""
        norms = np.array([_norm(delta) for delta in rows.deltas]) * rows.discounts
        shortening = _shortening(norms, float(np.median(norms)))
        return rows.mean(np.ones(len(rows)), shortening)


def _norm(delta: Weights) -> float:
    flat = (array.reshape(-1) for array in delta.values())
    return float(np.sqrt(sum(float(np.dot(values, values)) for values in flat)))


def _shortening(norms: Floats | float, bound: float) -> Floats:
    """min(1, bound / norm); 1 for a norm of 0."""
    return bound / np.maximum(norms, max(bound, np.finfo(np.float64).tiny))
