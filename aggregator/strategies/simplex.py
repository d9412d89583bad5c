"""Shares of sum 1 that make a square least: a quadratic programme on the simplex, numpy only."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

_STEPS = 2000
_SETTLED = 1e-7  # of any share, how far the slope moves it in one step


def least_square(rows: Floats, penalties: Floats) -> Floats:
    """α ≥ 0, Σ α = 1, (K,), with the least ‖Σⱼ αⱼ rowsⱼ‖² + Σⱼ αⱼ² penaltiesⱼ.

    ``rows`` (K, D), ``penalties`` (K,) ≥ 0. Projected gradient descent with momentum (FISTA: Beck
    and Teboulle 2009) from equal shares; K D operations a step.
    """
    shares = ahead = np.full(len(rows), 1 / len(rows))
    bound = np.linalg.norm(rows, 2) ** 2 + penalties.max()  # half of the greatest curvature
    if not bound:
        return shares
    pace = 1.0
    for _ in range(_STEPS):
        slope = rows @ (rows.T @ ahead) + penalties * ahead
        following = projected(ahead - slope / bound)
        # not the way from ``shares``, which also stand still where momentum turns round
        moved = np.abs(following - ahead).max()
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = following + (pace - 1) / faster * (following - shares)
        shares, pace = following, faster
        if moved < _SETTLED:
            break
    return shares


def projected(point: Floats) -> Floats:
    """The nearest shares of sum 1 (Duchi et al. 2008, figure 1)."""
    falling = np.sort(point)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, len(point) + 1)
    return np.asarray(np.maximum(point - excess[falling > excess][-1], 0))
