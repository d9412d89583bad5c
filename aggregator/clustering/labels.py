"""Clusters keep their names, and participants their clusters, unless there is a cause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.clustering.geometry import Floats, Labels
from edge.domain.assignment import assign

NOWHERE = -1
"""The label of whoever is in no cluster, or wishes to be in no other."""

_CLEARLY = 0.9  # of the way to its own centre: another that is nearer than that is clearly nearer


@dataclass(frozen=True, slots=True, eq=False)
class Wishes:
    """Whom K participants would rather be with, and for how long."""

    labels: Labels  # (K,) or NOWHERE
    waited: npt.NDArray[np.intp]  # (K,) rounds in a row


def renamed(found: Labels, before: Labels, taken: Labels) -> Labels:
    """The label of each cluster, (M,): that of the former one with which it shares most members.

    ``found`` (K,) counts from 0; ``before`` (K,) are the labels of the last time or NOWHERE. As
    many members as can be keep their label (Hungarian method); a cluster that follows none gets the
    smallest label that is not ``taken``.
    """
    former = np.unique(before[before >= 0])
    overlap = (found[:, None] == np.arange(found.max() + 1)).T.astype(np.float64) @ (
        before[:, None] == former
    )
    rows, columns = assign(overlap)
    labels = np.full(len(overlap), NOWHERE, np.intp)
    labels[rows] = former[columns]
    unused = np.setdiff1d(np.arange(len(overlap) + len(taken)), taken)
    fresh = np.flatnonzero(labels == NOWHERE)
    labels[fresh] = unused[: len(fresh)]
    return labels


def kept(
    wanted: Labels, before: Labels, wishes: Wishes, away: Floats, columns: Labels, *, patience: int
) -> tuple[Labels, Wishes]:
    """Labels (K,) and wishes after a round: who changes, and who waits.

    Participants whose ``wanted`` (K,) label is not that of ``before`` change it if the other centre
    is clearly nearer, if they have wished for it ``patience`` rounds in a row, or if their own is
    no more. ``away`` (K, M) are joint distances to the centres of labels ``columns`` (M,).
    """
    everybody = np.arange(len(wanted))
    there = before[:, None] == columns
    stays = there.any(axis=1) & (wanted != before)
    own = away[everybody, there.argmax(axis=1)]
    other = away[everybody, (wanted[:, None] == columns).argmax(axis=1)]
    waited = np.where(wishes.labels == wanted, wishes.waited, 0) + 1
    stays &= (other >= _CLEARLY * own) & (waited < patience)
    after = Wishes(np.where(stays, wanted, NOWHERE), np.where(stays, waited, 0))
    return np.where(stays, before, wanted), after
