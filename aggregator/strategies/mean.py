"""The weighted mean of updates that come one by one, in two models' worth of float32.

A sum of many float32 numbers loses digits as it grows. Here a short sum of 32 updates is added to
the long one, so that a number passes through 31 + K / 32 roundings instead of K: at K = 1000 the
mean does not depend on the updates' order beyond 1e-6 of the largest. That takes as much memory as
one sum in float64, and a third of its time.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.weights import Shapes, Weights

_SHORT = 32  # updates in a short sum; the square root of a large round's

Vector = npt.NDArray[np.float32]


class RunningMean:
    """Σ scaleᵢ xᵢ / Σ weightᵢ over named arrays."""

    def __init__(self, shapes: Shapes) -> None:
        self._long = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        self._short = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        self._weight = 0.0
        self.count = 0

    def add(self, arrays: Weights, *, scale: float, weight: float) -> None:
        """Add ``scale · arrays`` to the sum and ``weight`` to what divides it."""
        if self.count and self.count % _SHORT == 0:
            self._carry()
        for name, total in self._short.items():
            # in one pass over memory, in place; numpy would need two
            flat = total.reshape(-1)
            cv2.scaleAdd(arrays[name].reshape(-1), scale, flat, dst=flat)
        self._weight += weight
        self.count += 1

    def take(self) -> Mapping[str, Vector]:
        """The mean; ends this object. Needs at least one update of positive weight."""
        self._carry()
        self._short = {}
        for total in self._long.values():
            total *= np.float32(1 / self._weight)
        return self._long

    def _carry(self) -> None:
        for name, total in self._short.items():
            self._long[name] += total
            total.fill(0)
