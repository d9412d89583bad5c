"""Who belongs together after a round, and what their updates come to there: two pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from aggregator.clustering.geometry import Floats, Geometry, Labels, geometry, gram
from aggregator.clustering.kmeans import membership, parted
from aggregator.clustering.labels import Wishes, kept, labelled
from aggregator.clustering.number import MOST, well_parted
from aggregator.strategies.groups import Group
from aggregator.strategies.port import Strategy
from aggregator.strategies.roster import UNHEARD, Away, Member, Roster
from edge.domain.weights import Weights, WeightUpdate


@dataclass(frozen=True, slots=True)
class Rules:
    """How participants are compared, parted and moved."""

    num_clusters: int | Literal["auto"]
    alpha: float
    beta: float
    patience: int

    @property
    def most(self) -> int:
        """Clusters that there may be."""
        return MOST if self.num_clusters == "auto" else self.num_clusters


def regrouped(
    updates: Sequence[WeightUpdate], roster: Roster, groups: Mapping[int, Group], rules: Rules
) -> Roster:
    """Everybody's place after a round with these updates, in the order of their names.

    ``groups`` also has that of ``NOWHERE``: what was given to whoever is in no cluster yet. A
    cluster's silent members are stood for by one that has their model and sees what they see:
    a cluster is there as long as somebody is in it, whoever speaks.
    """
    names = [update.participant for update in updates]
    heard = [_heard(update, roster) for update in updates]
    absent = [Member(label, roster.objects(label), {}) for label in roster.labels_without(names)]
    before = np.array([member.label for member in (*heard, *absent)], np.intp)
    space = _space(updates, [*heard, *absent], groups, rules)
    found = _found(space, names, before, rules)
    wanted = labelled(found, before, roster.labels, space.pairs(), len(absent), rules.most)
    columns = np.unique(wanted)  # (M,)
    member = membership(np.searchsorted(columns, wanted), len(columns))
    terms = space.to_means(member)
    spoke = slice(len(heard))
    labels, wishes = kept(
        wanted[spoke],
        before[spoke],
        _wishes(heard),
        space.joint(terms)[spoke],
        columns,
        patience=rules.patience,
    )
    after = _moved(heard, labels, wishes, _away(space, member, terms, columns)[spoke])
    return Roster({**roster.members, **dict(zip(names, after, strict=True))}, space.scales)


def combined(
    inner: Strategy,
    updates: Sequence[tuple[WeightUpdate, int]],
    before: Roster,
    after: Roster,
    groups: Mapping[int, Group],
) -> dict[int, Group]:
    """Every cluster after a round with these updates, each with its staleness."""
    joined: dict[int, list[tuple[WeightUpdate, int]]] = {label: [] for label in after.labels}
    for update, staleness in updates:
        joined[after.label(update.participant)].append((update, staleness))
    following = {}
    for label, heard in joined.items():
        given = [groups[before.label(update.participant)] for update, _ in heard]
        begun = groups[label] if label in groups else _commonest(given)
        following[label] = _round(inner, begun, heard, given) if heard else begun
    return following


def _heard(update: WeightUpdate, roster: Roster) -> Member:
    """What is known of who speaks; what it saw last where it does not say it again."""
    member = roster.members.get(update.participant, UNHEARD)
    return member if update.objects is None else replace(member, objects=update.objects)


def _space(
    updates: Sequence[WeightUpdate],
    points: Sequence[Member],
    groups: Mapping[int, Group],
    rules: Rules,
) -> Geometry:
    """Of those who spoke, and behind them of clusters whose model nobody has changed."""
    started, whose = np.unique([member.label for member in points], return_inverse=True)
    starts = [groups[int(label)].model for label in started]
    zero = np.float32(0)
    still = {n: np.broadcast_to(zero, array.shape) for n, array in updates[0].delta.items()}
    deltas = [*(update.delta for update in updates), *[still] * (len(points) - len(updates))]
    products = gram(deltas, starts, whose)
    objects = [member.objects for member in points]
    return geometry(products, objects, alpha=rules.alpha, beta=rules.beta)


def _found(space: Geometry, names: Sequence[str], before: Labels, rules: Rules) -> Labels:
    """Clusters of those who spoke and of what stands for the silent, (K,) from 0.

    Chance goes by the names, so that the same participants have the same in every round.
    """
    digest = hashlib.sha256("/".join(names).encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest))
    if rules.num_clusters == "auto":
        return well_parted(space, random, before).labels
    return parted(space, min(rules.num_clusters, len(space)), random, before).labels


def _wishes(heard: Sequence[Member]) -> Wishes:
    """Those of the last round."""
    return Wishes(
        np.array([each.wish for each in heard], np.intp),
        np.array([each.waited for each in heard], np.intp),
    )


def _away(space: Geometry, member: Floats, terms: Floats, columns: Labels) -> list[dict[int, Away]]:
    """Everybody's distances by label, of ``terms`` (2, K, M); what was not said is not known."""
    said = space.known[:, None] & (member * space.known).any(axis=1)  # (K, M)
    return [
        {
            int(label): Away(float(model), float(objects) if both else None)
            for label, model, objects, both in zip(columns, *terms[:, row], said[row], strict=True)
        }
        for row in range(len(space))
    ]


def _moved(
    heard: Sequence[Member], labels: Labels, wishes: Wishes, away: Sequence[Mapping[int, Away]]
) -> list[Member]:
    rows = zip(heard, labels, wishes.labels, wishes.waited, away, strict=True)
    return [
        replace(each, label=int(label), wish=int(wish), waited=int(waited), away=far)
        for each, label, wish, waited, far in rows
    ]


def _commonest(given: Sequence[Group]) -> Group:
    """What most members of a new cluster were given; of several the first."""
    times = [sum(each is other for other in given) for each in given]
    return given[times.index(max(times))]


def _round(
    inner: Strategy,
    begun: Group,
    heard: Sequence[tuple[WeightUpdate, int]],
    given: Sequence[Group],
) -> Group:
    """The inner strategy's, from the cluster's model."""
    aggregation = inner.begin(begun.model, begun.state)
    for (update, staleness), group in zip(heard, given, strict=True):
        delta = update.delta if group is begun else _rebased(update.delta, group, begun)
        aggregation.add(replace(update, delta=delta), staleness=staleness)
    step = aggregation.finish()
    return Group(step.model, step.state)


def _rebased(delta: Weights, given: Group, begun: Group) -> Weights:
    """The same trained model as a difference from another one."""
    return {
        name: array + (given.model[name] - begun.model[name]) if name in given.model else array
        for name, array in delta.items()
    }
