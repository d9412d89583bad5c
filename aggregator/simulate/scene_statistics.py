"""What a scene looks like where objects have no classes: how large they are, and how fast.

Shares of box sizes by speeds take the place of a class histogram. Sizes are parts of the picture's
height, speeds body heights per second: nobody who stands reaches the first, and few who walk the
second.
"""

from __future__ import annotations

import numpy as np

from aggregator.simulate.problem import Array, Counts
from edge.features import kinematics

SIZES = (1 / 8, 1 / 4)  # of the picture: small, middling, large
SPEEDS = (0.25, 1.0)  # body heights per second: still, slow, fast
STATISTICS = tuple(
    f"{size} {speed}"
    for size in ("small", "middling", "large")
    for speed in ("still", "slow", "fast")
)
NO_CLASSES = "object classes: there are none; shares of box sizes by speeds stand for them"
AMOUNTS = ((0.5, "mostly"), (0.1, "some"), (0.0, "few"))  # from that share on

_NAMES = [feature.name for feature in kinematics.SPEC.features]
_SPEED, _HEIGHT = _NAMES.index("speed"), _NAMES.index("height")


def scene_counts(rows: Array) -> Counts:
    """Object segments of each of ``STATISTICS``: kinematics (R, 13) in physical units → (9,)."""
    size = np.searchsorted(SIZES, rows[:, _HEIGHT])
    speed = np.searchsorted(SPEEDS, rows[:, _SPEED])
    return np.bincount(len(SPEEDS) * size + size + speed, minlength=len(STATISTICS))


def scene_caption(counts: Counts) -> str:
    """``mostly small slow figures, few large fast figures``: what boxes alone can say in words."""
    shares = counts / max(counts.sum(), 1)
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda index: -shares[index])
    return ", ".join(f"{_amount(shares[k])} {STATISTICS[k]} figures" for k in order)


def _amount(share: float) -> str:
    return next(word for least, word in AMOUNTS if share > least)
