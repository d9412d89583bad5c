"""From distances to decades of surprise, and from a false-alarm budget to a threshold.

A distance means nothing to an operator and differs between cameras. Its *surprise* is
``-log10 P(a normal segment is as far)``: 3 is one normal segment in a thousand. Inside the
footage the probability is the empirical one; beyond it an exponential tail continues (the peaks
over a threshold of Pickands 1975 and Balkema & de Haan 1974, with shape 0: the shape parameter
cannot be told from the few hundred peaks that a learning period has).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]

TAIL_FROM = 0.9
"""Share of the reference below the tail; Coles (2001, section 4.3) on the choice."""

KNOTS = 512
"""Quantiles kept of the body: enough for 1 % of a decade, and a bounded file."""

DECADE = math.log(10)
SECONDS_PER_DAY = 86_400.0
SEPARATE_S = 10.0
"""Exceedances closer than this are one event: one alarm for the operator."""

PRIOR_PEAKS = 4.0
"""Weight of the prior belief that a score falls tenfold per decade, in peaks."""


@dataclass(frozen=True, slots=True, eq=False)
class TailCalibration:
    """Maps distances to decades of surprise; monotone."""

    knots: Array  # (k,) quantiles of normal distances from 0 to TAIL_FROM, never decreasing
    scale: float  # mean excess over the last knot, > 0
    most: float = math.inf  # decades; beyond them nothing is told apart

    @classmethod
    def fit(cls, distances: Array, *, most: float = math.inf) -> TailCalibration:
        """Learn from (N,) distances of normal segments that the normality has not seen, N ≥ 1."""
        knots = np.quantile(distances, np.linspace(0, TAIL_FROM, KNOTS)).astype(np.float32)
        over = distances[distances > knots[-1]] - knots[-1]
        scale = float(over.mean()) if len(over) else 0.0
        # distances that are all alike: any larger one is then as strange as it looks
        return cls(knots, max(scale, 1e-3 * float(abs(knots[-1])), 1e-6), most)

    def surprise(self, distances: Array) -> Array:
        """Decades of surprise of (N,) distances, (N,) in [0, ``most``]."""
        rank = np.searchsorted(self.knots, distances, side="left") * (TAIL_FROM / KNOTS)
        body = -np.log10(1 - np.minimum(rank, TAIL_FROM))
        tail = np.maximum(distances - self.knots[-1], 0) / (self.scale * DECADE)
        return np.asarray(np.minimum(body + tail, self.most), np.float32)

    def state(self) -> dict[str, Array]:
        """Named arrays from which ``from_state`` restores it; all finite."""
        bound = {} if math.isinf(self.most) else {"most": np.array([self.most], np.float32)}
        return {"knots": self.knots, "scale": np.array([self.scale], np.float32), **bound}

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[np.generic]]) -> TailCalibration:
        """Restore it; raises KeyError when an array is missing."""
        most = float(state["most"].flat[0]) if "most" in state else math.inf
        return cls(np.asarray(state["knots"], np.float32), float(state["scale"].flat[0]), most)


@dataclass(frozen=True, slots=True)
class BudgetThreshold:
    """The score at which a camera alarms as often as its operator accepts, and how sure that is.

    ``low`` and ``high`` bound the threshold with 95 % confidence.
    """

    threshold: float
    low: float
    high: float
    alarms_per_day: float  # the budget
    footage_s: float  # normal footage the estimate rests on
    peaks: int  # separate events in it above the level from which the tail was fitted

    def __str__(self) -> str:
        """``3.4 (2.9 to 3.9) for 2 alarms/day, from 1.5 h of footage with 23 peaks``."""
        return (
            f"{self.threshold:.2f} ({self.low:.2f} to {self.high:.2f}) "
            f"for {self.alarms_per_day:g} alarms/day, "
            f"from {self.footage_s / 3600:.2g} h of footage with {self.peaks} peaks"
        )


def threshold_for_budget(
    scores: Array,
    time_s: npt.NDArray[np.float64],
    *,
    alarms_per_day: float,
    footage_s: float,
    separate_s: float = SEPARATE_S,
) -> BudgetThreshold:
    """Extrapolate frame scores of normal footage to the level that ``alarms_per_day`` exceed.

    The scores (T,) at time_s (T,) are out of sample and cover ``footage_s`` seconds, which may
    have holes. Events above a level u come as a Poisson process of rate r, their heights above
    u are exponential with mean s; the level exceeded b times a day is then u + s ln(r / b)
    (Coles 2001, equation 4.12, shape 0). The prior on s is that of a calibrated score, one
    decade per factor of ten, so that minutes of footage give a wide answer, not a wild one.
    """
    level, peaks = _peaks(scores, time_s, separate_s)
    count = max(len(peaks), 1)  # no event at all: not more than about one in this footage
    per_day = count * SECONDS_PER_DAY / max(footage_s, 1.0)
    weight = PRIOR_PEAKS + len(peaks)
    mean = (PRIOR_PEAKS / DECADE + float((peaks - level).sum())) / weight
    decades = math.log(per_day / alarms_per_day)
    # delta method: var(s) = s²/k, var(ln r) = 1/k
    error = 1.96 * mean * math.sqrt(decades**2 / weight + 1 / count)
    threshold = level + mean * decades
    if decades < 0:  # the budget is met within the footage: no extrapolation
        threshold = level
    return BudgetThreshold(
        threshold, threshold - error, threshold + error, alarms_per_day, footage_s, len(peaks)
    )


def _peaks(
    scores: Array, time_s: npt.NDArray[np.float64], separate_s: float
) -> tuple[float, npt.NDArray[np.float64]]:
    """Level of the tail and the height of each separate event above it (runs declustering)."""
    if not len(scores):
        return 0.0, np.zeros(0)
    level = float(np.quantile(scores, TAIL_FROM))
    above = np.flatnonzero(scores > level)
    if not len(above):
        return level, np.zeros(0)
    starts = np.flatnonzero(np.r_[True, np.diff(time_s[above]) > separate_s])
    return level, np.maximum.reduceat(scores[above].astype(np.float64), starts)
