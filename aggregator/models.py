"""What the participants of a running round are given: one model, or one for each cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aggregator.strategies.port import Cluster
from edge.domain.weights import Weights
from edge.wire.chunks import blob_of
from edge.wire.rounds import Blob, ClusterNotice
from edge.wire.weights import encode_weights, fingerprint


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """A model as it travels."""

    blob: Blob
    payload: bytes
    notice: ClusterNotice | None  # of the cluster whose it is; None: it is everybody's


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """All of a round, encoded once: memory O(all of them)."""

    everybodys: Given
    clusters: tuple[Given, ...] = ()  # by label

    @property
    def notices(self) -> tuple[ClusterNotice, ...]:
        """What is announced of the clusters."""
        return tuple(given.notice for given in self.clusters if given.notice)

    def given_to(self, participant: str) -> Given | None:
        """The model that it begins with; None: there are clusters, and it is in none."""
        if not self.clusters:
            return self.everybodys
        return next(
            (g for g in self.clusters if g.notice and participant in g.notice.members), None
        )

    def with_clusters(self, clusters: Sequence[Cluster]) -> Models:
        """The clusters with their members of now; the model of a known one is the same."""
        known = {given.notice.label: given for given in self.clusters if given.notice}
        given = (_of_cluster(cluster, known.get(cluster.label)) for cluster in clusters)
        return replace(self, clusters=tuple(given))


def models_of(published: Weights, clusters: Sequence[Cluster]) -> Models:
    """Encode the one model, and those of all clusters."""
    payload = encode_weights(published)
    return Models(Given(blob_of(payload), payload, None)).with_clusters(clusters)


def _of_cluster(cluster: Cluster, known: Given | None) -> Given:
    if known is not None and known.notice is not None:
        members = {"members": cluster.members}
        return replace(known, notice=known.notice.model_copy(update=members))
    payload = encode_weights(cluster.model)
    blob = blob_of(payload)
    mark = fingerprint(cluster.model)
    notice = ClusterNotice(
        label=cluster.label, model=blob, fingerprint=mark, members=cluster.members
    )
    return Given(blob, payload, notice)
