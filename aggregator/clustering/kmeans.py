"""K-means on FedVAD's joint distance, with centres that are nothing but lists of members.

FedVAD assigns by a sum of two distances (Eq. 2) and moves centres to means (Eq. 3). Means minimise
squared distances, so a step may lengthen the sum a little: steps end when nobody moves any more,
or after ``_MAX_STEPS``. Of several beginnings the one is kept whose squared distances sum up to the
least. The paper's released code draws its centres from a normal distribution of a million
dimensions, and leaves most clusters empty; here they begin at participants, far from each other
(k-means++: Arthur and Vassilvitskii 2007), and a cluster that loses everybody begins again at the
participant that is farthest from its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggregator.clustering.geometry import Floats, Geometry, Labels

_RESTARTS = 8
_MAX_STEPS = 50
_BETTER = 0.98  # of the inertia: what a new beginning must come to, for the last round's to be left


@dataclass(frozen=True, slots=True, eq=False)
class Parting:
    """Participants in clusters, none of which is empty."""

    labels: Labels  # (K,) from 0
    inertia: float  # sum of squared joint distances to the own centre


def parted(
    geometry: Geometry, count: int, random: np.random.Generator, before: Labels | None = None
) -> Parting:
    """Into ``count`` ≤ K clusters; deterministic for a generator's state.

    ``before`` (K,) are the clusters of the last time, -1 for whoever was in none: where there were
    as many, they are left only for something clearly better.
    """
    pairs = geometry.pairs()
    restarts = 1 if count in (1, len(geometry)) else _RESTARTS
    begun = [_nearest(pairs[:, _spread(pairs, count, random)]) for _ in range(restarts)]
    best = min((_settled(geometry, labels, count) for labels in begun), key=lambda p: p.inertia)
    former = np.unique(before[before >= 0]) if before is not None else ()
    if before is None or len(former) != count:
        return best
    labels = np.where(before < 0, before, np.searchsorted(former, before))
    kept = _settled(geometry, _assigned(geometry, labels, count), count)
    return best if best.inertia < _BETTER * kept.inertia else kept


def membership(labels: Labels, count: int) -> Floats:
    """(count, K): 1 where a participant is in a cluster."""
    return np.asarray(labels[None, :] == np.arange(count)[:, None], np.float64)


def _settled(geometry: Geometry, labels: Labels, count: int) -> Parting:
    """Steps of Eqs. 2 and 3 until nobody moves."""
    for _ in range(_MAX_STEPS):
        following = _assigned(geometry, labels, count)
        if (following == labels).all():
            break
        labels = following
    away = _away(geometry, labels, count)[np.arange(len(labels)), labels]
    return Parting(labels, float(np.square(away).sum()))


def _assigned(geometry: Geometry, labels: Labels, count: int) -> Labels:
    return _nearest(_away(geometry, labels, count))


def _away(geometry: Geometry, labels: Labels, count: int) -> Floats:
    return geometry.joint(geometry.to_means(membership(labels, count)))


def _nearest(away: Floats) -> Labels:
    """The nearest of M centres for each of K ≥ M participants, (K,); no centre stays alone."""
    labels = np.asarray(away.argmin(axis=1))
    own = away[np.arange(len(away)), labels]
    sizes = np.bincount(labels, minlength=away.shape[1])
    for empty in np.flatnonzero(sizes == 0):
        farthest = int(np.where(sizes[labels] > 1, own, -1).argmax())
        sizes[labels[farthest]] -= 1
        labels[farthest], sizes[empty], own[farthest] = empty, 1, 0
    return labels


def _spread(pairs: Floats, count: int, random: np.random.Generator) -> list[int]:
    """Participants to begin at: each drawn by its squared distance to the nearest before it."""
    chosen = [int(random.integers(len(pairs)))]
    while len(chosen) < count:
        weights = np.square(pairs[:, chosen].min(axis=1))
        weights[chosen] = 0
        if not weights.any():  # all others are where one of these is
            weights = np.ones(len(pairs))
            weights[chosen] = 0
        chosen.append(int(random.choice(len(pairs), p=weights / weights.sum())))
    return chosen
