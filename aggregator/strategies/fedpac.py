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

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt

from aggregator.strategies.heads import (
    combined,
    encode_head,
    head_of,
    labels_of,
    mean_head,
    new_labels,
    without,
)
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
        if len(labels_of(state)) > MAX_CLUSTERS:
            raise ConfigError(
                f"strategy fedpac makes a model for each participant, at most {MAX_CLUSTERS}, and "
                f"there are {len(labels_of(state))}: choose fedrep, or fvcc"
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
                model={**common, **head_of(state, participant)},
                members=(participant,),
                objects=None,
            )
            for participant, label in sorted(labels_of(state).items(), key=lambda pair: pair[1])
        )

    def place(
        self, model: Weights, state: Weights, newcomers: Mapping[str, Shares | None]
    ) -> Weights:
        """With the mean head; before the first round nobody has one, and after many no more do."""
        labels = labels_of(state)
        head = {name: array for name, array in model.items() if self.is_head(name)}
        strangers = [participant for participant in newcomers if participant not in labels]
        placed = strangers[: MAX_CLUSTERS - len(labels)] if labels else []
        following = {**state, **new_labels(placed, state)}
        for participant in placed:
            following |= encode_head(participant, head)
        return following

    def retained(self, step: Step, participants: Collection[str]) -> Step:
        """Without the heads of all others, also in the mean head."""
        gone = labels_of(step.state).keys() - set(participants)
        if not gone:
            return step
        state = without(step.state, gone)
        return Step({**step.model, **mean_head(state)}, state)

    def improved(self, step: Step, models: Mapping[int, Weights]) -> Step:
        """Each with its better head; the body is the mean of theirs."""
        labels, state = labels_of(step.state), dict(step.state)
        for participant, label in labels.items():
            better = models.get(label, {})
            state |= encode_head(participant, {n: a for n, a in better.items() if self.is_head(n)})
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
        given |= head_of(self._state, update.participant)
        delta = {name: update.delta[name] for name in given}
        self._heads[update.participant] = added(given, delta, discount(staleness))
        self._features[update.participant] = {n: update.delta[n].copy() for n in _FEATURES}

    def finish(self) -> Step:
        self._strategy.require(len(self._heads))
        names = sorted(self._heads)  # who came first decides nothing
        heads = [self._heads[name] for name in names]
        features = [self._features[name] for name in names]
        state = {**self._state, **new_labels(names, self._state), **_mean_centroids(features)}
        self._strategy.check_room(state)
        for name, shares in zip(names, collaboration(features), strict=True):
            state |= encode_head(name, combined(heads, shares))
        model = added(self._model, self._mean.take())
        return Step({**model, **mean_head(state)}, state)


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
