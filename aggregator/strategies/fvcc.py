"""Clusters of participants that resemble each other, each with a model of its own.

Federated Visual Consistency Clustering (FedVAD, section 3.2) on what participants learnt and on
what they see; within a cluster another strategy combines the updates. In the first round everybody
begins from one model. From then on a member trains its cluster's model, Wᵢ is that model plus its
delta, and after every round everybody is compared with everybody again.

**Who moves, moves with its model.** A participant that changes its cluster counts in the new one
with Wᵢ less the model of the new one. A new cluster begins with the model, and with what the inner
strategy remembers, of the cluster that most of its members come from.

**Who is silent stays.** Whoever sent nothing in a round keeps its cluster, and a cluster whose
members all did keeps its model. Whoever has left for good is forgotten, and a cluster with its last
member.

The classes by default are what a street has: few, because every class costs noise where shares are
made private, and tells more of a place; cars and people part a road from a precinct.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from aggregator.clustering.labels import NOWHERE
from aggregator.strategies.adaptive import FedAdam, FedAvgM, FedYogi
from aggregator.strategies.averaging import FedAvg, FedProx
from aggregator.strategies.clipping import NormClipping
from aggregator.strategies.groups import PREFIX, Group, decode_group, encode_groups, mean_model
from aggregator.strategies.making import make
from aggregator.strategies.options import NotNegative
from aggregator.strategies.personal import FedALA, FedBN, FedRep
from aggregator.strategies.port import (
    NO_STATE,
    Aggregation,
    Cluster,
    LocalRule,
    Step,
    Strategy,
    Weighting,
)
from aggregator.strategies.regrouping import Rules, combined, regrouped
from aggregator.strategies.roster import Roster, decode_roster
from aggregator.strategies.scaffold import Scaffold
from edge.domain.weights import Shapes, Shares, Weights, WeightUpdate
from edge.errors import ConfigError
from edge.wire.rounds import MAX_CLUSTERS

STREET = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "other")
"""Classes of objects; "other" takes what is none of the rest."""

_WITHIN: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        *(FedAvg, FedProx, Scaffold, FedAvgM, FedAdam, FedYogi),
        *(FedBN, FedRep, FedALA, NormClipping),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FVCC(Strategy):
    """Clusters by Eqs. 2 and 3, with their α and β."""

    name = "fvcc"
    num_clusters: Annotated[int, Field(ge=1, le=MAX_CLUSTERS)] | Literal["auto"] = "auto"  # M
    alpha: NotNegative = 0.4  # of what participants learnt
    beta: NotNegative = 0.6  # of what they see
    classes: tuple[str, ...] = STREET  # that participants say the shares of; (): nobody is asked
    patience: Annotated[int, Field(ge=1)] = 3  # rounds until a slight wish is granted
    within: str = FedAvg.name
    within_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """ConfigError where the inner strategy cannot be made, or everything weighs nothing."""
        if not self.alpha + self.beta:
            raise ConfigError("strategy fvcc: alpha and beta are both 0: nothing is compared")
        _ = self.inner

    @property
    def inner(self) -> Strategy:
        """What combines the updates of a cluster."""
        if self.within not in _WITHIN:
            raise ConfigError(
                f"strategy fvcc, option within = {self.within!r}: clusters are small, and combine "
                f"by {', '.join(sorted(_WITHIN))}"
            )
        return make(_WITHIN[self.within], self.within, self.within_options)

    @property
    def rules(self) -> Rules:
        """What concerns the clusters alone."""
        return Rules(self.num_clusters, self.alpha, self.beta, self.patience)

    @property
    def sees_updates(self) -> bool:
        """It compares them."""
        return True

    @property
    def streaming(self) -> bool:
        """All of a round are kept until it is over."""
        return False

    @property
    def clustering(self) -> bool:
        """It does nothing else."""
        return True

    @property
    def weighting(self) -> Weighting:
        """Within a cluster."""
        return self.inner.weighting

    @property
    def local(self) -> LocalRule:
        """As in any cluster."""
        return self.inner.local

    def expects(self, model: Weights) -> Shapes:
        """As in any cluster."""
        return self.inner.expects(model)

    def begin(self, model: Weights, state: Weights = NO_STATE) -> Aggregation:
        """An empty collection."""
        self.expects(model)  # what fits not the model fails here, not at the round's end
        return _Gathered(self, model, state)

    def published(self, model: Weights, state: Weights) -> Weights:
        """For whoever is in no cluster: before the first round everybody."""
        del state
        return self.inner.published(model, NO_STATE)

    def clusters(self, model: Weights, state: Weights) -> tuple[Cluster, ...]:
        """By label; none before the first round is over."""
        del model
        roster, inner = self.roster(state), self.inner
        groups = {label: decode_group(state, label) for label in roster.labels}
        return tuple(
            Cluster(
                label=label,
                model=inner.published(group.model, group.state),
                members=roster.names(label),
                objects=roster.objects(label),
            )
            for label, group in groups.items()
        )

    def roster(self, state: Weights) -> Roster:
        """Who is where, and why: everybody's distance to every centre in either term of Eq. 2."""
        return decode_roster(state, len(self.classes))

    def place(
        self, model: Weights, state: Weights, newcomers: Mapping[str, Shares | None]
    ) -> Weights:
        """Beside those who see the same; nothing changes for who has a cluster, or if none is."""
        del model
        roster = self.roster(state)
        strangers = {n: o for n, o in newcomers.items() if n not in roster.members}
        if not roster.members or not strangers:
            return state
        for participant, objects in strangers.items():
            self.check(participant, objects)
        groups = {name: array for name, array in state.items() if name.startswith(PREFIX)}
        return {**groups, **roster.placed(strangers).encode()}

    def retained(self, step: Step, participants: Collection[str]) -> Step:
        """Without all others, and without clusters in which nobody is left."""
        before = self.roster(step.state)
        after = before.retained(participants)
        if len(after.members) == len(before.members):
            return step
        if not after.members:
            return Step(step.model, NO_STATE)
        groups = {label: decode_group(step.state, label) for label in after.labels}
        return Step(mean_model(groups, after.sizes), {**encode_groups(groups), **after.encode()})

    def improved(self, step: Step, models: Mapping[int, Weights]) -> Step:
        """With other models for these clusters; names that one lacks stay as they are."""
        roster = self.roster(step.state)
        groups = {label: decode_group(step.state, label) for label in roster.labels}
        for label, model in models.items():
            shared = {name: model.get(name, array) for name, array in groups[label].model.items()}
            groups[label] = replace(groups[label], model=shared)
        return Step(mean_model(groups, roster.sizes), {**step.state, **encode_groups(groups)})

    def check(self, participant: str, objects: Shares | None) -> None:
        """ConfigError where shares are of other classes: they cannot be compared."""
        if objects is not None and objects.shape != (len(self.classes),):
            raise ConfigError(
                f"strategy fvcc compares shares of {len(self.classes)} classes of objects, and "
                f"participant {participant} says {objects.size}: all must have the same classes"
            )


class _Gathered(Aggregation):
    """A round's updates, kept until it is over."""

    def __init__(self, strategy: FVCC, model: Weights, state: Weights) -> None:
        self._strategy = strategy
        self._roster = strategy.roster(state)
        self._groups = {label: decode_group(state, label) for label in self._roster.labels}
        self._groups[NOWHERE] = Group(model, NO_STATE)  # of whoever is in no cluster yet
        self._updates: list[tuple[WeightUpdate, int]] = []

    def add(self, update: WeightUpdate, *, staleness: int = 0) -> None:
        self._strategy.check(update.participant, update.objects)
        self._updates.append((update, staleness))

    def finish(self) -> Step:
        strategy = self._strategy
        strategy.require(len(self._updates))
        self._updates.sort(key=lambda pair: pair[0].participant)  # who came first decides nothing
        updates = [update for update, _ in self._updates]
        after = regrouped(updates, self._roster, self._groups, strategy.rules)
        groups = combined(strategy.inner, self._updates, self._roster, after, self._groups)
        return Step(mean_model(groups, after.sizes), {**encode_groups(groups), **after.encode()})
