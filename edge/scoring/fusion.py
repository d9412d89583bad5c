"""Fusion: one surprise from several terms that look at the same frame or object.

Each term is calibrated on its own, in decades of surprise, so a term that knows nothing about a
camera cannot drown one that does. Their mean is, but for a factor, Fisher's statistic for
combining independent tests: the sum of the logarithms of their probabilities (Fisher 1932).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]


def fuse(surprise: Array) -> Array:
    """Mean of T terms over N regions or frames, (T, N) → (N,); a silent term says 0."""
    return np.asarray(surprise.sum(axis=0) / max(len(surprise), 1), np.float32)
