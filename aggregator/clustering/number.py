"""Into how many clusters: the number whose parting has the best silhouette (Rousseeuw 1987).

Kaufman and Rousseeuw (1990) call an average silhouette of up to 0.25 "no substantial structure":
then everybody stays together.
"""

from __future__ import annotations

import numpy as np

from aggregator.clustering.geometry import Floats, Geometry, Labels
from aggregator.clustering.kmeans import Parting, membership, parted

MOST = 10
"""Clusters that are looked for at most; FedVAD tries no more either."""

_WEAK = 0.25
_BETTER = 0.05  # by what the silhouette of another number must be above that of the last round's


def well_parted(
    geometry: Geometry, random: np.random.Generator, before: Labels | None = None
) -> Parting:
    """Into as many clusters as they fall into by themselves, of two members or more on average.

    ``before`` as in ``parted``: its number is left only for a clearly better one.
    """
    numbers = range(2, min(MOST, len(geometry) // 2) + 1)
    pairs = geometry.pairs()
    tried = {count: parted(geometry, count, random, before) for count in numbers}
    worth = {count: silhouette(pairs, parting.labels) for count, parting in tried.items()}
    last = 0 if before is None else len(np.unique(before[before >= 0]))
    if last in worth:
        worth[last] += _BETTER
    best = max(worth, key=worth.__getitem__, default=1)
    if worth.get(best, 0) <= _WEAK:
        return parted(geometry, 1, random)
    return tried[best]


def silhouette(pairs: Floats, labels: Labels) -> float:
    """Mean over participants of (b - a) / max(a, b); 0 counts who is alone. Needs two clusters.

    a is the mean distance to the others of its own cluster, b to those of the nearest other one.
    """
    member = membership(labels, int(labels.max()) + 1)
    sizes = member.sum(axis=1)
    mean = pairs @ member.T  # (K, M) sums
    everybody = np.arange(len(labels))
    own = mean[everybody, labels] / np.maximum(sizes[labels] - 1, 1)
    mean /= sizes
    mean[everybody, labels] = np.inf
    other = mean.min(axis=1)
    worth = (other - own) / np.maximum(np.maximum(own, other), np.finfo(np.float64).tiny)
    return float(np.where(sizes[labels] > 1, worth, 0).mean())
