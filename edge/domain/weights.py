"""Weights: named arrays of a model, and what a participant changed in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Weights: TypeAlias = Mapping[str, npt.NDArray[np.float32]]
"""State-dict names to float32 arrays; the order of the names carries no meaning."""

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

Shares: TypeAlias = npt.NDArray[np.float32]
"""(C,) a distribution of objects over the classes that a federation has agreed on."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightUpdate:
    """What one participant sends in one round."""

    participant: str
    round: int
    num_examples: int  # that it trained on, ≥ 1
    delta: Weights  # its weights less those of the model that it was given
    objects: Shares | None = None  # of each class among the objects it sees; None: it did not say


def shapes_of(weights: Weights) -> dict[str, tuple[int, ...]]:
    """Name to shape: what a model's updates must look like."""
    return {name: tuple(array.shape) for name, array in weights.items()}


def added(
    weights: Weights, delta: Weights, scale: float = 1.0
) -> dict[str, npt.NDArray[np.float32]]:
    """``weights + scale · delta``; names that ``delta`` lacks stay as they are."""
    return {
        name: array + np.float32(scale) * delta[name] if name in delta else array
        for name, array in weights.items()
    }
