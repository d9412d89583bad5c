"""Clusters' models and what their strategies remember, among a strategy's state.

::

    cluster/<label>/model/<weight>   the cluster's model
    cluster/<label>/state/<name>     what the inner strategy remembers of it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.domain.weights import Weights

PREFIX = "cluster/"
_MODEL, _STATE = PREFIX + "{}/model/", PREFIX + "{}/state/"


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One cluster's."""

    model: Weights
    state: Weights


def decode_group(state: Weights, label: int) -> Group:
    """The cluster of this label."""
    return Group(under(state, _MODEL.format(label)), under(state, _STATE.format(label)))


def encode_groups(groups: Mapping[int, Group]) -> Weights:
    """All, by label."""
    arrays: dict[str, npt.NDArray[np.float32]] = {}
    for label, group in groups.items():
        arrays |= {_MODEL.format(label) + name: array for name, array in group.model.items()}
        arrays |= {_STATE.format(label) + name: array for name, array in group.state.items()}
    return arrays


def mean_model(groups: Mapping[int, Group], sizes: Mapping[int, int]) -> Weights:
    """The mean of the clusters' models, each as often as it has members."""
    everybody = sum(sizes.values())
    shares = {label: np.float32(size / everybody) for label, size in sizes.items()}
    names = next(iter(groups.values())).model
    return {
        name: np.asarray(sum(shares[label] * groups[label].model[name] for label in sorted(groups)))
        for name in names
    }


def under(state: Weights, prefix: str) -> Weights:
    """What is called ``<prefix><name>``, by name."""
    return {name[len(prefix) :]: array for name, array in state.items() if name.startswith(prefix)}
