"""Robust standardisation: how far a value is from what is usual on this camera, at this place.

Every feature ends as a number without a unit: 0 is the camera's median, ±1 about one standard
deviation. A feature that depends on perspective or on the path that people take (``by_place``)
is first compared with a smooth surface over the picture, fitted by Huber's method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import FeatureSpec

Array: TypeAlias = npt.NDArray[np.float32]

CLIP = 8.0
"""Beyond this many spreads everything is equally strange; one wild value must not rule."""

SPREAD_QUANTILES = (0.05, 0.95)
NORMAL_SPREADS = 3.29  # standard deviations between those quantiles of a normal distribution
USUAL_QUANTILES = (0.005, 0.995)
HUBER_SPREADS = 1.5
HUBER_STEPS = 5
RIDGE = 1e-5  # per row: flattens the surface where the footage does not say
TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Standardiser:
    """What is usual for each of d features; ``fit`` learns it, ``apply`` compares with it."""

    log_floor: Array  # (d,) NaN where the feature is compared as it is
    surface: Array  # (6, d) quadratic in the place; only the constant where place is ignored
    surface_range: Array  # (2, d) values of the surface that the footage has seen
    spread: Array  # (d,) > 0
    usual: Array  # (2, d) low and high bound of what is usual, in spreads

    @classmethod
    def fit(cls, spec: FeatureSpec, values: Array, place: Array) -> Standardiser:
        """Learn from N normal rows: values (N, d) in physical units, place (N, 2) in [0, 1]."""
        floors = [np.nan if f.log_floor is None else f.log_floor for f in spec.features]
        log_floor = np.array(floors, np.float32)
        compared = _compared(values, log_floor)
        basis = _basis(place)
        surface = np.zeros((basis.shape[1], len(spec)), np.float32)
        for column, feature in enumerate(spec.features):
            if feature.by_place:
                surface[:, column] = _huber(basis, compared[:, column])
        surface[0] += np.median(compared - basis @ surface, axis=0)
        level = basis @ surface
        rest = compared - level
        spread = _spread(rest)
        return cls(
            log_floor=log_floor,
            surface=surface,
            surface_range=np.quantile(level, USUAL_QUANTILES, axis=0).astype(np.float32),
            spread=spread,
            usual=np.quantile(rest / spread, USUAL_QUANTILES, axis=0).astype(np.float32),
        )

    def apply(self, values: Array, place: Array) -> Array:
        """Standardise N rows: (N, d) and (N, 2) → (N, d) in [-CLIP, CLIP]."""
        away = (_compared(values, self.log_floor) - self._level(place)) / self.spread
        return np.asarray(np.clip(away, -CLIP, CLIP), np.float32)

    def bounds(self, place: Array) -> tuple[Array, Array]:
        """Low and high bound of what is usual at N places, in physical units: two (N, d)."""
        low, high = (self._level(place) + bound * self.spread for bound in self.usual)
        return _physical(low, self.log_floor), _physical(high, self.log_floor)

    def departure(self, standardised: Array) -> Array:
        """How far each value is from usual: 1 is at the bound, (N, d) ≥ 0."""
        reach = np.where(standardised >= 0, self.usual[1], -self.usual[0])
        return np.asarray(np.abs(standardised) / np.maximum(reach, 0.5), np.float32)

    def state(self) -> dict[str, Array]:
        """Named arrays from which ``from_state`` restores it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[np.generic]]) -> Standardiser:
        """Restore it; raises KeyError when an array is missing."""
        names = cls.__dataclass_fields__
        return cls(**{name: np.asarray(state[name], np.float32) for name in names})

    def _level(self, place: Array) -> Array:
        level = _basis(place) @ self.surface
        low, high = self.surface_range
        return np.asarray(np.clip(level, low, high), np.float32)


def place_of(boxes_xyxy: Array, width: int, height: int) -> Array:
    """Where N boxes stand: middle of the lower edge as a share of the picture, (N, 2)."""
    middle = (boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2
    return np.stack([middle / width, boxes_xyxy[:, 3] / height], axis=1).astype(np.float32)


def _compared(values: Array, log_floor: Array) -> Array:
    """Values on the scale on which they are compared: logarithmic where the spec says so."""
    logged = np.isfinite(log_floor)
    compared = np.array(values, np.float32)
    compared[:, logged] = np.log(np.maximum(values[:, logged] + log_floor[logged], TINY))
    return compared


def _physical(compared: Array, log_floor: Array) -> Array:
    logged = np.isfinite(log_floor)
    physical = compared.copy()
    physical[:, logged] = np.maximum(np.exp(compared[:, logged]) - log_floor[logged], 0)
    return physical


def _basis(place: Array) -> Array:
    """Quadratic basis about the middle of the picture, (N, 2) → (N, 6)."""
    x, y = (place - np.float32(0.5)).T
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


def _huber(basis: Array, values: Array) -> npt.NDArray[np.float64]:
    """Huber regression by reweighted least squares (Huber 1964), with a small ridge."""
    a = basis.astype(np.float64)
    ridge = RIDGE * len(a) * np.diag([0.0, 1, 1, 1, 1, 1]) + TINY * np.eye(a.shape[1])
    weight = np.ones(len(a))
    for _ in range(HUBER_STEPS):
        weighted = a.T * weight
        surface = np.linalg.solve(weighted @ a + ridge, weighted @ values)
        rest = np.abs(values - a @ surface)
        scale = HUBER_SPREADS * 1.4826 * np.median(rest) + TINY
        weight = 1 / np.maximum(1, rest / scale)
    return np.asarray(surface, np.float64)


def _spread(rest: Array) -> Array:
    """Robust standard deviation per column; a feature that hardly varies gets a plain one."""
    low, high = np.quantile(rest, SPREAD_QUANTILES, axis=0)
    spread = (high - low) / NORMAL_SPREADS
    plain = rest.std(axis=0)
    spread = np.where(spread > 1e-6, spread, plain)
    return np.where(spread > 1e-6, np.maximum(spread, 1e-3), 1.0).astype(np.float32)
