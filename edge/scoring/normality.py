"""Normality: what a camera's normal footage looks like in standardised feature space.

Descriptions behind one port. The first two keep a rare normal pattern: half a percent of the
footage has prototypes of its own, so that being rare alone does not make it anomalous.

* ``NearestNormal``: distance to the nearest of a few thousand kept normal rows. Half of them
  are a random sample (density), half are picked farthest-first (coverage: Gonzalez 1985, the
  k-centre greedy of PatchCore, Roth et al. 2022).
* ``CosineKMeans``: 1 - largest cosine to M centres (SVAD, section 3.4).
* ``Excess``: how much larger than usual; for groups in which only that is strange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import FeatureSpec

Array: TypeAlias = npt.NDArray[np.float32]
State: TypeAlias = Mapping[str, npt.NDArray[np.generic]]

CANDIDATES = 20_000
"""Rows among which prototypes are picked: bounds the time of a fit."""

LLOYD_STEPS = 25
CENTRE_MEMORY = 1000.0
"""A centre follows new rows as the mean of about this many: slowly, and for ever."""


class Normality(Protocol):
    """Learnt from normal rows; larger distances are less normal."""

    kind: ClassVar[str]

    @classmethod
    def fit(cls, points: Array, *, size: int, seed: int = 0) -> Self:
        """Learn from (N, d) standardised normal rows, N ≥ 1, keeping at most ``size``."""
        ...

    def distance(self, points: Array) -> Array:
        """How far N rows are from normal: (N, d) → (N,), ≥ 0."""
        ...

    def update(self, points: Array) -> None:
        """Take in normal rows seen later; the memory does not grow."""
        ...

    def state(self) -> dict[str, Array]:
        """Named arrays from which ``from_state`` restores it."""
        ...

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore it; raises KeyError when an array is missing."""
        ...


class NearestNormal:
    """Distance to the nearest kept normal row."""

    kind: ClassVar[str] = "neighbours"

    def __init__(self, prototypes: Array) -> None:
        self._prototypes = np.array(prototypes, np.float32)  # (M, d) its own: updates write
        self._square = (prototypes**2).sum(1)  # (M,)
        self._gap: Array | None = None  # (M,) to the nearest other; made by the first update
        self._novel = 0.0

    @classmethod
    def fit(cls, points: Array, *, size: int, seed: int = 0) -> Self:
        """Learn from (N, d) standardised normal rows, keeping at most ``size``."""
        if len(points) <= size:
            return cls(np.array(points, np.float32))
        order = np.random.default_rng(seed).permutation(len(points))[:CANDIDATES]
        candidates = np.asarray(points[order], np.float32)
        sample = candidates[: max(size // 2, 1)]
        far = farthest_first(candidates, _nearest(candidates, sample), size - len(sample))
        return cls(np.concatenate([sample, candidates[far]]))

    def distance(self, points: Array) -> Array:
        """Euclidean distance to the nearest prototype, (N,)."""
        square = self._square - 2 * points @ self._prototypes.T  # (N, M) but for |point|²
        nearest = square.min(axis=1) + (points**2).sum(1)
        return np.asarray(np.sqrt(np.maximum(nearest, 0)), np.float32)

    def update(self, points: Array) -> None:
        """A row in a gap of the prototypes takes the place of the most redundant prototype.

        Novelty decides, not frequency: rows like those that are already kept change nothing.
        """
        if self._gap is None:
            self._gap = _gaps(self._prototypes)
            self._novel = float(np.median(self._gap))
        for index in np.flatnonzero(self.distance(points) > self._novel):
            row = points[index : index + 1]  # an equal row may have been taken in just before
            if self.distance(row)[0] > self._novel:
                self._replace(self._gap, int(self._gap.argmin()), row[0])

    def state(self) -> dict[str, Array]:
        """Named arrays from which ``from_state`` restores it."""
        return {"prototypes": self._prototypes}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore it; raises KeyError when an array is missing."""
        return cls(np.asarray(state["prototypes"], np.float32))

    def _replace(self, gap: Array, index: int, point: Array) -> None:
        self._prototypes[index] = point
        self._square[index] = (point**2).sum()
        away = np.sqrt(((self._prototypes - point) ** 2).sum(1))
        away[index] = np.inf
        self._gap = np.minimum(gap, away)
        self._gap[index] = away.min()


class CosineKMeans:
    """1 - the largest cosine to M centres: half by k-means, half farthest-first.

    Plain k-means spends its centres where the rows are many and merges what is rare.

    Standardised rows have the origin in their middle, where directions mean nothing: a constant
    coordinate of sqrt(d) lifts them off it, so that size matters as well as direction.
    """

    kind: ClassVar[str] = "kmeans"

    def __init__(self, centres: Array) -> None:
        self._centres = np.array(centres, np.float32)  # (M, d + 1) unit length; its own

    @classmethod
    def fit(cls, points: Array, *, size: int, seed: int = 0) -> Self:
        """Learn from (N, d) standardised normal rows, keeping at most ``size``."""
        if len(points) <= size:
            return cls(_lift(points))
        order = np.random.default_rng(seed).permutation(len(points))[:CANDIDATES]
        rows = _lift(np.asarray(points[order], np.float32))
        common = spherical_kmeans(rows, max(size // 2, 1))
        far = farthest_first(rows, _nearest(rows, common), size - len(common))
        return cls(np.concatenate([common, rows[far]]))

    def distance(self, points: Array) -> Array:
        """1 - the largest cosine, (N,) in [0, 2]."""
        cosine = (_lift(points) @ self._centres.T).max(axis=1)
        return np.asarray(np.maximum(1 - cosine, 0), np.float32)

    def update(self, points: Array) -> None:
        """Each row draws its own centre a little nearer, however rare that centre is."""
        for row in _lift(points):
            nearest = int((self._centres @ row).argmax())
            moved = self._centres[nearest] + row / CENTRE_MEMORY
            self._centres[nearest] = moved / np.linalg.norm(moved)

    def state(self) -> dict[str, Array]:
        """Named arrays from which ``from_state`` restores it."""
        return {"centres": self._centres}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore it; raises KeyError when an array is missing."""
        return cls(np.asarray(state["centres"], np.float32))


class Excess:
    """How far the standardised values exceed what is usual; nothing else is strange about them.

    For groups of a few features of which a large value alone is anomalous (``FeatureSpec.excess``).
    """

    kind: ClassVar[str] = "excess"

    @classmethod
    def fit(cls, points: Array, *, size: int, seed: int = 0) -> Self:  # the port's
        """All that is to be learnt is in the standardisation."""
        return cls()

    def distance(self, points: Array) -> Array:
        """Sum of what is above the median, in spreads, (N,)."""
        return np.asarray(np.maximum(points, 0).sum(axis=1), np.float32)

    def update(self, points: Array) -> None:
        """Nothing to follow."""

    def state(self) -> dict[str, Array]:
        """Nothing to keep."""
        return {}

    @classmethod
    def from_state(cls, state: State) -> Self:  # the port's
        """Restore it."""
        return cls()


def kind_of(spec: FeatureSpec, chosen: str) -> type[Normality]:
    """The normality of a group: what the operator ``chosen`` for all, unless only excess counts."""
    return Excess if spec.excess else KINDS[chosen]


KINDS: Mapping[str, type[Normality]] = {kind.kind: kind for kind in (NearestNormal, CosineKMeans)}


def spherical_kmeans(rows: Array, size: int) -> Array:
    """Centres (size, d) of unit rows (N, d) (Dhillon & Modha 2001), from a farthest-first start."""
    start = rows[:1]
    centres = np.concatenate([start, rows[farthest_first(rows, _nearest(rows, start), size - 1)]])
    for _ in range(LLOYD_STEPS):
        owner = (rows @ centres.T).argmax(axis=1)
        total = np.zeros_like(centres)
        np.add.at(total, owner, rows)
        empty = (np.bincount(owner, minlength=len(centres)) == 0)[:, None]
        centres = _unit(np.where(empty, centres, total))
    return centres


def farthest_first(points: Array, distance: Array, count: int) -> npt.NDArray[np.intp]:
    """Pick ``count`` rows, each the farthest from all before; distance (N,) is to the start."""
    distance = distance.copy()
    square = (points**2).sum(1)
    picked = np.empty(count, np.intp)
    for k in range(count):
        picked[k] = index = int(distance.argmax())
        away = np.maximum(square + square[index] - 2 * points @ points[index], 0)
        distance = np.minimum(distance, np.sqrt(away))
    return picked


def _nearest(points: Array, kept: Array) -> Array:
    """Distance to the nearest kept row, in slices that bound the memory."""
    normal = NearestNormal(kept)
    slices = np.array_split(points, len(points) // 2048 + 1)
    return np.concatenate([normal.distance(rows) for rows in slices])


def _gaps(points: Array) -> Array:
    """Distance of each row to its nearest other row, (M,)."""
    gaps = np.full(len(points), np.inf, np.float32)
    for index, point in enumerate(points):
        away = ((points - point) ** 2).sum(1)
        away[index] = np.inf
        gaps[index] = np.sqrt(away.min())
    return gaps


def _lift(points: Array) -> Array:
    constant = np.full((len(points), 1), np.sqrt(points.shape[1]), np.float32)
    return _unit(np.concatenate([points, constant], axis=1))


def _unit(rows: Array) -> Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
