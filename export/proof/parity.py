"""The same scores: torch against ONNX, on any provider, and how far they are apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Floats
from edge.errors import ModelError
from edge.model.artifact import TOLERANCE, Artifact
from edge.model.runtime import CPU
from edge.model.student import predict

ALLOWED = {CPU: TOLERANCE}
ALLOWED_ELSEWHERE = 5e-3  # GPUs multiply 32-bit floats with mantissas of 10 bits (TF32)
RESEMBLING_SEED = 4

Scores: TypeAlias = Callable[[Floats], Floats]
"""Segments (B, L, d) → scores (B, L)."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a network's scores are from torch's."""

    max_abs_error: float
    rank_correlation: float  # Spearman's
    segments: int  # that were compared
    allowed: float  # at most, for scores of this size

    @property
    def ok(self) -> bool:
        """Whether it scores the same; not a number is never the same."""
        return self.max_abs_error <= self.allowed


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Segments of several batches and lengths, and what torch scores them."""

    x: Sequence[Floats]  # (B, L, d) each
    scores: Sequence[Floats]  # (B, L) each

    def parity(self, scores: Scores, *, provider: str = CPU) -> Parity:
        """Compare; raises ModelError where the network takes no such shape."""
        found = [scores(x) for x in self.x]
        for x, got in zip(self.x, found, strict=True):
            if got.shape != x.shape[:2]:
                raise ModelError(f"student: scores {got.shape} for segments {x.shape}")
        ours, theirs = _flat(found), _flat(self.scores)
        size = max(1.0, float(np.abs(theirs).max(initial=0)))
        return Parity(
            max_abs_error=float(np.abs(ours - theirs).max(initial=0)),
            rank_correlation=rank_correlation(ours, theirs),
            segments=len(theirs),
            allowed=size * ALLOWED.get(provider, ALLOWED_ELSEWHERE),
        )


def trial_of(artifact: Artifact) -> Trial:
    """Golden segments, their beginnings, and others that resemble them in other shapes.

    An export that has baked in a length or a batch size fails on one of them; so does one that
    reads what a young stream does not have yet.
    """
    golden, window = artifact.golden.x, artifact.spec.window
    beginnings = [golden[:, :length] for length in {1, math.ceil(window / 2), window - 1}]
    shapes = ((1, 1), (1, window), (2, window + 3), (5, 2 * window + 1))
    others = [
        _resembling(golden, *shape, seed=RESEMBLING_SEED + k) for k, shape in enumerate(shapes)
    ]
    x = [each for each in (golden, *beginnings, *others) if each.shape[1]]
    weights = dict(artifact.weights)
    return Trial(x, [predict(artifact.spec, weights, each) for each in x])


def rank_correlation(a: Floats, b: Floats, *, apart: float = TOLERANCE) -> float:
    """Spearman's of two series (N,): 1 for the same order; 1 where both tell nothing apart.

    Values nearer to each other than ``apart`` count as equal: rounding has no order.
    """
    first, second = (_ranks(np.round(values.astype(np.float64) / apart)) for values in (a, b))
    first, second = first - first.mean(), second - second.mean()
    size = math.sqrt(float((first**2).sum() * (second**2).sum()))
    if not size:
        return 1.0 if not first.any() and not second.any() else 0.0
    return float((first * second).sum() / size)


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Tied values share the middle of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place], np.float64)


def _resembling(golden: Floats, batch: int, length: int, *, seed: int) -> Floats:
    """Segments (batch, length, d) with mean and spread of the golden ones, feature by feature."""
    rows = golden.reshape(-1, golden.shape[-1])
    normal = np.random.default_rng(seed).standard_normal((batch, length, golden.shape[-1]))
    return np.asarray(rows.mean(axis=0) + rows.std(axis=0) * normal, np.float32)


def _flat(parts: Sequence[Floats]) -> Floats:
    return np.concatenate([part.reshape(-1) for part in parts])
