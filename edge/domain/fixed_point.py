"""Weighted deltas as integers modulo 2^32, so that they can be added under masks, exactly.

Coordinate d of a delta with n examples becomes ``rint(scale · d · min(n, max_examples) /
max_examples)``; the number of examples itself rides along as one more coordinate. With ``scale =
floor(2^31 / participants - 1) / limit`` the sum of all participants stays within ±2^31 and cannot
wrap.

Error: rounding costs each participant at most 1/2 unit in a coordinate, so the weighted mean is
off by at most ``participants · max_examples / (2 · scale · Σ n)``: ``limit · 2^-32 · participants``
when all have ``max_examples``. Coordinates beyond ±limit are cut to it; clipping to an L2 norm of
``limit`` beforehand makes that impossible, noise added after clipping needs room
(``FixedPoint.for_updates``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.weights import Shapes, Weights
from edge.errors import ConfigError

Words: TypeAlias = npt.NDArray[np.uint32]
"""(N + 1,) integers modulo 2^32: N coordinates in the order of the sorted names, then examples."""

_HALF = 2**31
_NOISE_ROOM = 6.0  # standard deviations; 2 in 10^9 coordinates are cut


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """How the members of one round encode; all must use the same values."""

    limit: float  # the largest |coordinate| of a delta
    participants: int  # at most so many are added
    max_examples: int  # more count as this many

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise ConfigError(f"secure aggregation needs a clip norm above 0, not {self.limit}")
        if self.participants < 1 or self.max_examples < 1:
            raise ConfigError("secure aggregation needs participants and max_examples of 1 or more")
        if self.participants * self.max_examples >= _HALF:
            raise ConfigError(
                f"{self.participants} participants with {self.max_examples} examples each would "
                f"overflow a sum of 32 bits: lower max_examples to "
                f"{(_HALF - 1) // self.participants}"
            )

    @classmethod
    def for_updates(
        cls, *, clip_norm: float, noise_multiplier: float, participants: int, max_examples: int
    ) -> FixedPoint:
        """Room for deltas that were clipped to ``clip_norm`` and then noised."""
        limit = clip_norm * (1.0 + _NOISE_ROOM * noise_multiplier)
        return cls(limit, participants, max_examples)

    @property
    def scale(self) -> float:
        """Units of the integer grid per unit of a delta."""
        return (_HALF // self.participants - 1) / self.limit

    def error_bound(self, count: int, num_examples: int) -> float:
        """Largest error of a coordinate of the mean of ``count`` deltas, ``num_examples`` in all.

        Of the encoding alone; the result is then rounded to float32.
        """
        return count * self.max_examples / (2.0 * self.scale * num_examples)

    def encode(self, delta: Weights, num_examples: int) -> Words:
        """The delta times its number of examples, as (N + 1,) integers modulo 2^32."""
        counted = min(num_examples, self.max_examples)
        factor = self.scale * counted / self.max_examples
        flat = [np.ravel(delta[name]) for name in sorted(delta)]
        values = np.concatenate([*flat, np.zeros(1)], dtype=np.float64)
        np.clip(values, -self.limit, self.limit, out=values)
        np.rint(np.multiply(values, factor, out=values), out=values)
        values[-1] = counted
        return values.astype(np.int32).view(np.uint32)

    def decode_mean(
        self, total: Words, shapes: Shapes
    ) -> tuple[dict[str, npt.NDArray[np.float32]], int]:
        """Σ nₖ·deltaₖ / Σ nₖ and Σ nₖ from the sum of encoded deltas, modulo 2^32.

        ValueError where the sum is not of these ``shapes``, or of no examples at all.
        """
        signed = total.view(np.int32)
        num_examples = int(signed[-1])
        if size_of(shapes) != len(total) or num_examples < 1:
            raise ValueError(f"{len(total)} words with {num_examples} examples are no such sum")
        mean = signed[:-1] * (self.max_examples / (self.scale * num_examples))
        arrays, start = {}, 0
        for name in sorted(shapes):
            end = start + math.prod(shapes[name])
            arrays[name] = mean[start:end].reshape(shapes[name]).astype(np.float32)
            start = end
        return arrays, num_examples


def size_of(shapes: Shapes) -> int:
    """How many words an encoded delta of these shapes has."""
    return sum(map(math.prod, shapes.values())) + 1
