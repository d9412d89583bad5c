"""Who is with whom, and why: the clusters of the running round in words and figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from aggregator.clustering.labels import NOWHERE
from aggregator.membership import placed
from aggregator.store import Store
from aggregator.strategies.fvcc import FVCC
from aggregator.strategies.port import Cluster, Step, Strategy
from aggregator.strategies.roster import Away, Member
from edge.domain.weights import Shares
from edge.errors import ConfigError
from edge.wire.weights import decode_weights

_MOST_NAMED = 3  # classes of a distribution, in words
_LEAST_NAMED = 0.005  # share


@dataclass(frozen=True, slots=True, eq=False)
class ClusterReport:
    """The clusters, and their members by cluster and name."""

    round: int  # the running one
    classes: tuple[str, ...]  # C
    clusters: tuple[Cluster, ...]
    members: Mapping[str, Member]
    alpha: float  # of the distance: what was learnt
    beta: float  # what is seen

    def joint(self, away: Away) -> float | None:
        """The distance that decides; what is not known counts nothing. None: nothing is known."""
        terms = ((self.alpha, away.model), (self.beta, away.objects))
        known = [weight * term for weight, term in terms if term is not None]
        return sum(known) if known else None


def read_report(
    store: Store, strategy: Strategy, registered: Collection[str] | None = None
) -> ClusterReport:
    """Of a federation that has begun; ConfigError where the strategy makes no clusters.

    Whoever is not ``registered`` any more is left out (None: nobody is), as by an aggregator that
    starts now when it ends the round; one that runs believes them until its next start.
    """
    if not isinstance(strategy, FVCC):
        raise ConfigError(
            f"strategy {strategy.name} makes no clusters: name: {FVCC.name} does (see strategy)"
        )
    running, outcome = store.running(), store.outcome()
    assert running is not None
    model = decode_weights(outcome.model)
    step = Step(model, placed(store, strategy, model, decode_weights(outcome.strategy)))
    if registered is not None:
        step = strategy.retained(step, registered)
    members = strategy.roster(step.state).members
    ordered = sorted(members, key=lambda name: (members[name].label, name))
    return ClusterReport(
        round=running.number,
        classes=strategy.classes,
        clusters=strategy.clusters(step.model, step.state),
        members={name: members[name] for name in ordered},
        alpha=strategy.alpha,
        beta=strategy.beta,
    )


def as_json(report: ClusterReport) -> dict[str, Any]:
    """All of it."""
    return {
        "round": report.round,
        "classes": list(report.classes),
        "alpha": report.alpha,
        "beta": report.beta,
        "clusters": [
            {"label": c.label, "members": list(c.members), "objects": _shares(report, c.objects)}
            for c in report.clusters
        ],
        "participants": [
            {
                "name": name,
                "cluster": member.label,
                "objects": _shares(report, member.objects),
                "distances": {
                    str(label): {
                        "model": away.model,
                        "objects": away.objects,
                        "joint": report.joint(away),
                    }
                    for label, away in member.away.items()
                },
                "wishes": None if member.wish == NOWHERE else member.wish,
                "waited_rounds": member.waited,
            }
            for name, member in report.members.items()
        ],
    }


def headline(report: ClusterReport) -> str:
    """How many there are, what each sees, and how distances are to be read."""
    if not report.clusters:
        return f"round {report.round}: no clusters now, the end of a round makes them"
    lines = [f"round {report.round}: {len(report.clusters)} clusters"]
    lines += [
        f"  cluster {each.label}: {len(each.members)} members, {in_words(report, each.objects)}"
        for each in report.clusters
    ]
    lines.append(
        "distances to each centre: what was learnt + what is seen; 1 is the mean between two "
        f"participants; the cluster is where {report.alpha:g} of the first and {report.beta:g} of "
        "the second are least"
    )
    return "\n".join(lines)


def rows(report: ClusterReport) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and a row for each participant."""
    labels = [each.label for each in report.clusters]
    headings = ("participant", "cluster", *(f"to {label}" for label in labels), "sees", "")
    table = []
    for name, member in report.members.items():
        distances = (_distance(member.away.get(label)) for label in labels)
        wish = "" if member.wish == NOWHERE else f"would rather {member.wish}"
        seen = in_words(report, member.objects)
        table.append((name, str(member.label), *distances, seen, wish))
    return headings, table


def in_words(report: ClusterReport, objects: Shares | None) -> str:
    """The most frequent classes of a distribution (C,)."""
    if objects is None:
        return "has not said what it sees"
    largest = sorted(zip(objects.tolist(), report.classes, strict=True), reverse=True)
    named = [f"{name} {share:.0%}" for share, name in largest[:_MOST_NAMED] if share > _LEAST_NAMED]
    return ", ".join(named) or "nothing"


def _distance(away: Away | None) -> str:
    terms = (None, None) if away is None else (away.model, away.objects)
    return " + ".join("-" if term is None else f"{term:.2f}" for term in terms)


def _shares(report: ClusterReport, objects: Shares | None) -> dict[str, float] | None:
    if objects is None:
        return None
    return dict(zip(report.classes, map(float, objects), strict=True))
