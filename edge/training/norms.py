"""Segment norms that grow with strangeness, for every kind of feature.

CLAP's statistics suppose that anomalous segments have the larger feature norms (RTFM's finding for
I3D features that are not normalised). A descriptor in heights per second, or an embedding of
length 1, has no such norm. So every feature is first taken as a *residual* from what is usual for
its camera, and the norm is the residual's:

* ``descriptor``: (f - median) / robust spread, per feature, within ±CLIP;
* ``excess``: the same, where only too much is strange: what lies below the median counts as 0;
* ``embedding``: f - mean; one spread for all directions, those of an embedding mean nothing alone.

What is usual is learnt from all of a camera's footage, unlabelled: medians bear rare anomalies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from edge.domain.boxes import Floats
from edge.errors import TrainingError

NormKind: TypeAlias = Literal["descriptor", "excess", "embedding"]

CLIP = 8.0  # spreads; one wild value must not rule a norm
NORMAL_QUARTILES = 1.349  # standard deviations between the quartiles of a normal distribution
TINY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What is usual for a camera's d features."""

    centre: Floats  # (d,)
    spread: Floats  # (d,) > 0
    kind: NormKind

    @classmethod
    def fit(cls, videos: Sequence[Floats], kind: NormKind) -> Usual:
        """From all segments of a camera, each video (m_i, d)."""
        if not sum(map(len, videos)):
            raise TrainingError("no footage to learn from: the feature store holds no segment")
        rows = np.concatenate(list(videos))
        if kind == "embedding":
            centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
            return cls(centre, np.ones_like(centre), kind)
        low, centre, high = np.quantile(rows, (0.25, 0.5, 0.75), axis=0).astype(np.float32)
        robust, plain = (high - low) / NORMAL_QUARTILES, rows.std(axis=0)
        spread = np.where(robust > TINY, robust, plain)  # a feature that is mostly constant
        return cls(centre, np.where(spread > TINY, spread, 1).astype(np.float32), kind)

    def residuals(self, video: Floats) -> Floats:
        """(m, d) features → (m, d) residuals."""
        away = (video - self.centre) / self.spread
        if self.kind == "embedding":
            return np.asarray(away, np.float32)
        lowest = 0.0 if self.kind == "excess" else -CLIP
        return np.asarray(np.clip(away, lowest, CLIP), np.float32)


def norms(residuals: Floats) -> Floats:
    """z, the length of every segment's residual: (m, d) → (m,)."""
    return np.asarray(np.linalg.norm(residuals, axis=1), np.float32)
