"""Participants in groups that are known beforehand, and their geometry."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from aggregator.clustering.geometry import Geometry, geometry

ALPHA, BETA = 0.4, 0.6
WIDTH, CLASSES = 12, 4

seeds = st.integers(0, 2**32 - 1)


def models(seed: int, groups: Sequence[int], *, apart: float = 10.0) -> np.ndarray:
    """(K, WIDTH) float64: noise of 1 about the group's place."""
    random = np.random.default_rng(seed)
    places = random.normal(0, apart, (max(groups) + 1, WIDTH))
    return places[list(groups)] + random.normal(0, 1, (len(groups), WIDTH))


def shares(seed: int, groups: Sequence[int], *, apart: float = 10.0) -> list[np.ndarray]:
    """(C,) each: the more of the group's own class, the farther the groups are apart."""
    random = np.random.default_rng(seed)
    likely = 1 + apart * np.eye(CLASSES)[list(groups)]
    return [random.dirichlet(3 * row).astype(np.float32) for row in likely]


def space(rows: np.ndarray, objects: Sequence[np.ndarray | None]) -> Geometry:
    centred = rows - rows.mean(axis=0)
    return geometry(centred @ centred.T, objects, alpha=ALPHA, beta=BETA)


def drawn(seed: int, groups: Sequence[int], *, apart: float = 10.0) -> Geometry:
    return space(models(seed, groups, apart=apart), shares(seed, groups, apart=apart))


def same_parts(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two labellings differ in nothing but names."""
    pairs = set(zip(one, other, strict=True))
    return len(pairs) == len(set(one)) == len(set(other))
