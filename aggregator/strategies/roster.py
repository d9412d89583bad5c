"""Who is in which cluster, and why: what FVCC remembers of participants, as float32 arrays.

::

    member/<participant>   ()         label of its cluster
    wishes                 (K, 2)     label that it would rather have, and for how many rounds
    objects                (K, C)     the shares of objects that it said last
    terms                  (K, 2, M)  its distance to every cluster's centre, when it last spoke
    scales                 (2,)       the mean distances that are the units of these terms

Rows are in the order of the participants' names, columns of clusters in that of their labels. -1
stands for what is not known: no share, distance or label is negative.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from aggregator.clustering.geometry import MODEL, OBJECTS, Floats
from aggregator.clustering.labels import NOWHERE
from edge.domain.weights import Shares, Weights

_MEMBER, _WISHES, _OBJECTS, _TERMS, _SCALES = "member/", "wishes", "objects", "terms", "scales"
_UNKNOWN = np.float32(-1)


@dataclass(frozen=True, slots=True)
class Away:
    """How far a participant is from a centre; each term in units of its mean over all pairs."""

    model: float | None  # None: its model was not compared with this cluster's
    objects: float | None  # None: it, or every member, has not said what it sees


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """Where a participant belongs, and why."""

    label: int
    objects: Shares | None  # (C,) what it said last; None: nothing
    away: Mapping[int, Away]  # by label; what was found when it last spoke
    wish: int = NOWHERE  # label of the cluster that it would rather be in
    waited: int = 0  # rounds in a row that it has wished so

    @property
    def has_trained(self) -> bool:
        """Whether its model was ever compared; a newcomer's was not."""
        return any(each.model is not None for each in self.away.values())


UNHEARD = Member(NOWHERE, None, {})
"""Who has neither spoken nor been placed."""


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """All participants that were ever heard or placed, and have not left."""

    members: Mapping[str, Member]
    scales: Floats  # (2,) mean distances of models and of objects

    @property
    def labels(self) -> tuple[int, ...]:
        """Of the clusters; each has a member."""
        return tuple(sorted({member.label for member in self.members.values()}))

    @property
    def sizes(self) -> dict[int, int]:
        """Members of each cluster, by label."""
        return {label: len(self.names(label)) for label in self.labels}

    def labels_without(self, present: Collection[str]) -> tuple[int, ...]:
        """Of the clusters that have a member beside those ``present``."""
        absent = self.members.keys() - set(present)
        return tuple(sorted({self.members[name].label for name in absent}))

    def label(self, participant: str) -> int:
        """Its cluster's, or ``NOWHERE``."""
        return self.members.get(participant, UNHEARD).label

    def names(self, label: int) -> tuple[str, ...]:
        """A cluster's members, sorted."""
        return tuple(sorted(n for n, member in self.members.items() if member.label == label))

    def objects(self, label: int) -> Shares | None:
        """Õ (C,), the mean of what a cluster's members see; None: none of them said."""
        said = [self.members[name].objects for name in self.names(label)]
        known = [shares for shares in said if shares is not None]
        return np.mean(known, axis=0, dtype=np.float32) if known else None

    def retained(self, participants: Collection[str]) -> Roster:
        """These participants alone; nobody wishes for a cluster that is no more."""
        left = {name: each for name, each in self.members.items() if name in participants}
        labels = {member.label for member in left.values()}
        members = {
            name: each if each.wish in labels else replace(each, wish=NOWHERE, waited=0)
            for name, each in left.items()
        }
        return replace(self, members=members)

    def placed(self, newcomers: Mapping[str, Shares | None]) -> Roster:
        """With newcomers where members see what they see; the largest cluster if one does not say.

        Each as if it came alone: no newcomer moves a centre. A centre is the mean of the members
        who have trained, or of all where those have left. Needs a cluster.
        """
        trained = replace(self, members={n: m for n, m in self.members.items() if m.has_trained})
        sizes = trained.sizes or self.sizes  # who had trained may have left
        centres = {
            label: (trained if label in trained.sizes else self).objects(label)
            for label in self.labels
        }
        largest = max(sizes, key=sizes.__getitem__)
        placed = {n: self._newcomer(o, centres, largest) for n, o in newcomers.items()}
        return replace(self, members={**self.members, **placed})

    def _newcomer(
        self, objects: Shares | None, centres: Mapping[int, Shares | None], otherwise: int
    ) -> Member:
        far = {label: self._term(objects, centre) for label, centre in centres.items()}
        known = {label: term for label, term in far.items() if term is not None}
        label = min(known, key=known.__getitem__, default=otherwise)
        return Member(label, objects, {label: Away(None, term) for label, term in far.items()})

    def _term(self, objects: Shares | None, centre: Shares | None) -> float | None:
        if objects is None or centre is None:
            return None
        scale = float(self.scales[OBJECTS]) or 1.0  # 0: so far nobody differed
        return float(np.linalg.norm(objects - centre)) / scale

    def encode(self) -> dict[str, npt.NDArray[np.float32]]:
        """As arrays; nothing for nobody."""
        if not self.members:
            return {}
        ordered, columns = [self.members[name] for name in sorted(self.members)], self.labels
        labels = {_MEMBER + n: np.full((), m.label, np.float32) for n, m in self.members.items()}
        objects = [member.objects for member in ordered]
        width = max((len(shares) for shares in objects if shares is not None), default=0)
        unsaid = np.full(width, _UNKNOWN)
        return {
            **labels,
            _WISHES: np.array([(m.wish, m.waited) for m in ordered], np.float32),
            _OBJECTS: np.array([unsaid if o is None else o for o in objects], np.float32),
            _TERMS: np.array([_row(member, columns) for member in ordered], np.float32),
            _SCALES: self.scales.astype(np.float32),
        }


def decode_roster(state: Weights, num_classes: int) -> Roster:
    """What ``encode`` has made of it, wherever it lies among a strategy's state.

    Shares of another number of classes were said before these were agreed on: they are forgotten.
    """
    names = sorted(name for name in state if name.startswith(_MEMBER))
    if not names:
        return Roster({}, np.zeros(2))
    labels = [int(state[name].item()) for name in names]
    columns = sorted(set(labels))
    members = {}
    for row, (name, label) in enumerate(zip(names, labels, strict=True)):
        shares, (wish, waited) = state[_OBJECTS][row], state[_WISHES][row]
        away = {
            column: Away(*(None if term < 0 else float(term) for term in terms))
            for column, terms in zip(columns, state[_TERMS][row].T, strict=True)
        }
        said = shares if 0 < len(shares) == num_classes and (shares >= 0).all() else None
        members[name.removeprefix(_MEMBER)] = Member(label, said, away, int(wish), int(waited))
    return Roster(members, state[_SCALES].astype(np.float64))


def _row(member: Member, labels: tuple[int, ...]) -> Floats:
    """(2, M) of a member's distances."""
    terms = np.full((2, len(labels)), float(_UNKNOWN))
    for column, label in enumerate(labels):
        away = member.away.get(label, Away(None, None))
        if away.model is not None:
            terms[MODEL, column] = away.model
        if away.objects is not None:
            terms[OBJECTS, column] = away.objects
    return terms
