"""Heads of single participants, among a strategy's state.

::

    label/<participant>            ()    label of the cluster in which it is alone
    head/<participant>/<weight>          its head
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count

import numpy as np
import numpy.typing as npt

from aggregator.strategies.groups import under
from edge.domain.weights import Weights

_LABEL, _HEAD = "label/", "head/{}/"


def labels_of(state: Weights) -> dict[str, int]:
    """Of participants that have a head of their own."""
    return {
        name.removeprefix(_LABEL): int(array.item())
        for name, array in state.items()
        if name.startswith(_LABEL)
    }


def new_labels(participants: Sequence[str], state: Weights) -> Weights:
    """For those who have none: the smallest that nobody has, or has any more."""
    labels = labels_of(state)
    taken = set(labels.values())
    free = (label for label in count() if label not in taken)
    new = (name for name in participants if name not in labels)
    return {_LABEL + name: np.full((), next(free), np.float32) for name in new}


def head_of(state: Weights, participant: str) -> Weights:
    """Nothing where it has none of its own."""
    return under(state, _HEAD.format(participant))


def encode_head(participant: str, head: Weights) -> Weights:
    """As it lies among the state."""
    return {_HEAD.format(participant) + name: array for name, array in head.items()}


def without(state: Weights, participants: Collection[str]) -> Weights:
    """The state when these have left."""
    labels = {_LABEL + name for name in participants}
    heads = tuple(_HEAD.format(name) for name in participants)
    return {
        name: array
        for name, array in state.items()
        if name not in labels and not name.startswith(heads)
    }


def combined(heads: Sequence[Weights], shares: npt.NDArray[np.float64]) -> Weights:
    """Σⱼ sharesⱼ headsⱼ of K ≥ 1 heads; shares (K,)."""
    return {
        name: np.asarray(sum(s * h[name] for s, h in zip(shares, heads, strict=True)), np.float32)
        for name in heads[0]
    }


def mean_head(state: Weights) -> Weights:
    """Of all who have one; nothing where nobody has."""
    everybody = [head_of(state, name) for name in sorted(labels_of(state))]
    if not everybody:
        return {}
    return combined(everybody, np.full(len(everybody), 1 / len(everybody)))
