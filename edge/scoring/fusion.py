"""Fusion: one surprise from several terms that look at the same object.

Each term is calibrated on its own, in decades of surprise, so a term that knows nothing about a
camera cannot drown one that does.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]
Rule: TypeAlias = Literal["max", "mean"]


def fuse(surprise: Array, rule: Rule) -> Array:
    """Combine T terms over N regions or frames: (T, N) with NaN where a term is silent → (N,).

    ``max``: the most surprised term counts: an anomaly need only show in one of them.
    ``mean``: they must agree: the average of those that speak.
    """
    spoken = np.isfinite(surprise)
    if rule == "max":
        return np.asarray(np.where(spoken, surprise, 0).max(axis=0, initial=0), np.float32)
    total = np.where(spoken, surprise, 0).sum(axis=0)
    return np.asarray(total / np.maximum(spoken.sum(axis=0), 1), np.float32)
