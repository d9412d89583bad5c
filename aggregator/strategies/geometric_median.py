"""The point with the least sum of distances to all updates: RFA (Pillutla et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggregator.strategies.gathered import Comparing, Floats, Rows
from aggregator.strategies.options import Positive
from edge.domain.weights import Weights

_MAX_STEPS = 1000  # of K² operations each
_SETTLED = 1e-9  # change of any participant's share in one step


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometricMedian(Comparing):
    """Smoothed Weiszfeld (Algorithm 2): z ← Σ βᵢ Δᵢ / Σ βᵢ, βᵢ = 1 / max(ν, ‖z - Δᵢ‖).

    z is always a mean Σ aᵢ Δᵢ, so ‖z - Δᵢ‖² = Gᵢᵢ - 2 (G a)ᵢ + aᵀ G a with the Gram matrix G: the
    updates are read twice, however many steps it takes. The paper stops after three, because each
    costs it a round of messages; this goes on until the shares stand still. The paper weighs by
    examples; here everybody counts the same. Endures nearly half of hostile participants.
    """

    name = "geometric_median"
    smoothing: Positive = 1e-6  # ν, a distance

    def combine(self, rows: Rows) -> Weights:
        """Iterate on shares, then take the mean once."""
        return rows.mean(self._shares(rows.gram()))

    def _shares(self, gram: Floats) -> Floats:
        """a, (K,), of sum 1."""
        shares = np.full(len(gram), 1 / len(gram))
        for _ in range(_MAX_STEPS):
            before, projected = shares, gram @ shares
            squares = np.diag(gram) - 2 * projected + shares @ projected
            closeness = 1 / np.sqrt(np.maximum(squares, self.smoothing**2))
            shares = closeness / closeness.sum()
            if np.abs(shares - before).max() < _SETTLED:
                break
        return shares
