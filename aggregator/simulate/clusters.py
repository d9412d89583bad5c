"""Clusters as a simulation tells of them: who is in each, and how well they match hidden kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from aggregator.strategies.port import Cluster


def members_of(clusters: Sequence[Cluster]) -> dict[int, tuple[str, ...]]:
    """Names by label."""
    return {cluster.label: cluster.members for cluster in clusters}


def purity(clusters: Mapping[int, Sequence[str]], kinds: Mapping[str, str]) -> float:
    """Share of participants that are of the commonest kind in their cluster, in (0, 1]."""
    counted = [Counter(kinds[name] for name in members) for members in clusters.values()]
    return sum(max(each.values()) for each in counted if each) / len(kinds)
