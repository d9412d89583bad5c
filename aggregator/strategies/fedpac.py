"""FedPAC: one body, a head for everybody, made of those that help (Xu, Tong, Huang; ICLR 2023).

A participant trains its head, then the body, whose features (the student's penultimate values) are
drawn to the mean features of everybody's segments of the same class. It sends both, and with them
under ``features/`` what ``edge.training.feature_alignment`` computes. From that

* the body becomes the mean weighted by examples, as in FedAvg;
* centroids become the mean of everybody's, weighted by segments of the class (Eq. 8);
* participant i gets the head Σⱼ αⱼ φⱼ with the α ≥ 0 of sum 1 that minimise
  Σⱼ αⱼ² Vⱼ + Σₖ ‖Σⱼ αⱼ (hᵢₖ - hⱼₖ)‖² (section 4.2): of those whose features are distributed
  alike, and of many rather than of one, because a mean of many is more certain.

Every participant is a cluster of its own here: all have the same body and another head. That is for
up to ``MAX_CLUSTERS`` participants. Whoever comes later begins with the mean head. The second term
of the square compares only where segments lie, which a ``density`` has too: it has the one class
"normal", and nothing else changes.

Heads and features say more of a place than a mean of models does, and features are no differences
of weights: a compression that keeps only the largest values would spoil them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt

from aggregator.strategies.groups import under
from aggregator.strategies.mean import RunningMean
from aggregator.strategies.options import Count, Names, Positive
from aggregator.strategies.personal import HEAD
from aggregator.strategies.port import (
    NO_STATE,
    Aggregation,
    Cluster,
    LocalRule,
    Step,
    Strategy,
    Weighting,
    discount,
)
from aggregator.strategies.simplex import least_square
from edge.domain.weights import Shapes, Shares, Weights, WeightUpdate, added
from edge.errors import ConfigError
from edge.model.spec import PENULTIMATE
from edge.wire.rounds import MAX_CLUSTERS

CENTROIDS, KNOWN = "features/centroids", "features/known"  # published; the centroids are sent too
COUNTS, MOMENTS, SPREAD = "features/counts", "features/moments", "features/spread"  # sent
_FEATURES: Shapes = {
    CENTROIDS: (2, PENULTIMATE),
    COUNTS: (2,),
    MOMENTS: (2, PENULTIMATE),
    SPREAD: (1,),
}
_LABEL, _HEAD = "label/", "head/{}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class FedPAC(Strategy):
    """Feature alignment and classifier collaboration."""

    name = "fedpac"
    names: Names = HEAD
    head_epochs: Count = 1
    alignment: Positive = 1.0  # λ; the paper chooses it by data set

    @property
    def sees_updates(self) -> bool:
        """Heads and features of each."""
        return True

    @property
    def streaming(self) -> bool:
        """Heads are small; bodies are a sum."""
        return True

    @property
    def clustering(self) -> bool:
        """Everybody is given a head of its own."""
        return True

    @property
    def weighting(self) -> Weighting:
        """As the paper."""
        return "examples"

    @property
    def local(self) -> LocalRule:
        """First the head, then the body, aligned."""
        return LocalRule(head=self.names, local_epochs=self.head_epochs, alignment=self.alignment)

    def is_head(self, name: str) -> bool:
        """Whether a weight is of the head."""
        return any(fnmatchcase(name, pattern) for pattern in self.names)

    def expects(self, model: Weights) -> Shapes:
        """Every weight, and features; ConfigError where the model has no head or no body."""
        if {self.is_head(name) for name in model} != {True, False}:
            raise ConfigError(
                f"strategy fedpac: the names of the head ({', '.join(self.names)}) must fit some "
                f"of the model's weights, and not all: {', '.join(sorted(model))}"
            )
        return {**{name: array.shape for name, array in model.items()}, **_FEATURES}

    def check_room(self, state: Weights) -> None:
        """ConfigError where there are more participants than models can be announced."""
        if len(_labels(state)) > MAX_CLUSTERS:
            raise ConfigError(
                f"strategy fedpac makes a model for each participant, at most {MAX_CLUSTERS}, and "
                f"there are {len(_labels(state))}: choose fedrep, or fvcc"
            )

    def begin(self, model: Weights, state: Weights = NO_STATE) -> Aggregation:
        """A sum of zero, and no heads."""
        return _Round(self, model, state)

    def published(self, model: Weights, state: Weights) -> Weights:
        """The body under the mean head, and everybody's centroids."""
        return {**model, **_centroids(state)}

    def clusters(self, model: Weights, state: Weights) -> tuple[Cluster, ...]:
        """Each participant alone with its head."""
        common = self.published(model, state)
        return tuple(
            Cluster(
                label=label,
                model={**common, **under(state, _HEAD.format(participant))},
                members=(participant,),
                objects=None,
            )
            for participant, label in sorted(_labels(state).items(), key=lambda pair: pair[1])
        )

    def place(
        self, model: Weights, state: Weights, newcomers: Mapping[str, Shares | None]
    ) -> Weights:
        """With the mean head; before the first round nobody has one, and after many no more do."""
        labels, following = _labels(state), dict(state)
        head = {name: array for name, array in model.items() if self.is_head(name)}
        strangers = [participant for participant in newcomers if participant not in labels]
        free = range(max(labels.values(), default=0) + 1, MAX_CLUSTERS) if labels else ()
        for label, participant in zip(free, strangers, strict=False):
            following[_LABEL + participant] = np.full((), label, np.float32)
            following |= _named(participant, head)
        return following

    def improved(self, step: Step, models: Mapping[int, Weights]) -> Step:
        """Each with its better head; the body is the mean of theirs."""
        labels, state = _labels(step.state), dict(step.state)
        for participant, label in labels.items():
            better = models.get(label, {})
            state |= _named(participant, {n: a for n, a in better.items() if self.is_head(n)})
        better = {
            name: np.mean([m.get(name, array) for m in models.values()], axis=0, dtype=np.float32)
            for name, array in step.model.items()
            if models
        }
        return Step({**step.model, **better}, state)


class _Round(Aggregation):
    def __init__(self, strategy: FedPAC, model: Weights, state: Weights) -> None:
        self._strategy, self._model, self._state = strategy, model, state
        shapes = strategy.expects(model)
        self._mean = RunningMean({name: shapes[name] for name in model})
        self._heads: dict[str, Weights] = {}
        self._features: dict[str, Weights] = {}

    def add(self, update: WeightUpdate, *, staleness: int = 0) -> None:
        weight = float(update.num_examples)
        self._mean.add(
            {name: update.delta[name] for name in self._model},
            scale=weight * discount(staleness),
            weight=weight,
        )
        given = {n: a for n, a in self._model.items() if self._strategy.is_head(n)}
        given |= under(self._state, _HEAD.format(update.participant))
        delta = {name: update.delta[name] for name in given}
        self._heads[update.participant] = added(given, delta, discount(staleness))
        self._features[update.participant] = {n: update.delta[n].copy() for n in _FEATURES}

    def finish(self) -> Step:
        self._strategy.require(len(self._heads))
        names = sorted(self._heads)  # who came first decides nothing
        heads = [self._heads[name] for name in names]
        features = [self._features[name] for name in names]
        state = {**self._state, **_new_labels(names, self._state), **_mean_centroids(features)}
        self._strategy.check_room(state)
        for name, shares in zip(names, collaboration(features), strict=True):
            state |= _named(name, _combined(heads, shares))
        model = added(self._model, self._mean.take())
        everybody = [under(state, _HEAD.format(name)) for name in sorted(_labels(state))]
        equal = np.full(len(everybody), 1 / len(everybody))
        return Step({**model, **_combined(everybody, equal)}, state)


def collaboration(features: Sequence[Weights]) -> list[npt.NDArray[np.float64]]:
    """For each of K participants the shares (K,) of everybody's heads in its own."""
    moments = np.array([each[MOMENTS].reshape(-1) for each in features], np.float64)  # (K, 2 d)
    spreads = np.array([max(each[SPREAD].item(), 0.0) for each in features], np.float64)
    return [least_square(own - moments, spreads) for own in moments]


def _mean_centroids(features: Sequence[Weights]) -> dict[str, npt.NDArray[np.float32]]:
    counts = np.maximum([each[COUNTS] for each in features], 0)  # (K, 2)
    total = counts.sum(axis=0)
    weighted = sum(n[:, None] * each[CENTROIDS] for n, each in zip(counts, features, strict=True))
    centroids = weighted / np.where(total > 0, total, 1)[:, None]
    return {CENTROIDS: centroids.astype(np.float32), KNOWN: (total > 0).astype(np.float32)}


def _centroids(state: Weights) -> Weights:
    nothing = {CENTROIDS: np.zeros((2, PENULTIMATE), np.float32), KNOWN: np.zeros(2, np.float32)}
    return {name: state.get(name, zero) for name, zero in nothing.items()}


def _labels(state: Weights) -> dict[str, int]:
    """Of participants that have a head of their own."""
    return {
        name.removeprefix(_LABEL): int(array.item())
        for name, array in state.items()
        if name.startswith(_LABEL)
    }


def _new_labels(names: Sequence[str], state: Weights) -> Weights:
    """For those who have none."""
    labels = _labels(state)
    first = max(labels.values(), default=-1) + 1
    new = [name for name in names if name not in labels]
    return {_LABEL + name: np.full((), first + i, np.float32) for i, name in enumerate(new)}


def _combined(heads: Sequence[Weights], shares: npt.NDArray[np.float64]) -> Weights:
    return {
        name: np.asarray(sum(s * h[name] for s, h in zip(shares, heads, strict=True)), np.float32)
        for name in heads[0]
    }


def _named(participant: str, head: Weights) -> Weights:
    return {_HEAD.format(participant) + name: array for name, array in head.items()}
