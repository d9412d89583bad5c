"""Clusters keep their names, and participants their clusters, unless there is a cause."""

from __future__ import annotations

from collections.abc import Sequence
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


def labelled(
    found: Labels, before: Labels, taken: Sequence[int], pairs: Floats, anchors: int, most: int
) -> Labels:
    """The label that each of K wishes for, (K,); the last ``anchors`` of them keep their own.

    ``found`` (K,), ``before`` and ``taken`` as in ``renamed``; ``pairs`` (K, K) are distances.
    Whoever was found together with anchors goes to the nearest of them. Clusters without one are
    called as ``renamed`` does; where there would be more than ``most`` the smallest are none, and
    theirs go to the nearest anchor of all.
    """
    count = len(found) - anchors
    speak, held = found[:count], before[count:]
    together = speak[:, None] == found[None, count:]  # (count, anchors)
    alone = ~together.any(axis=1)
    sizes = np.bincount(speak[alone], minlength=int(found.max()) + 1)
    room = max(most - anchors, 0) if anchors else len(sizes)
    founds = alone & np.isin(speak, np.argsort(-sizes, kind="stable")[:room])
    wanted = before.copy()
    if anchors:
        near = np.where(together | alone[:, None], pairs[:count, count:], np.inf)
        wanted[:count] = held[near.argmin(axis=1)]
    if founds.any():
        column = np.unique(speak[founds], return_inverse=True)[1]
        former = np.where(np.isin(before[:count], held), NOWHERE, before[:count])
        names = renamed(column, former[founds], np.asarray(taken, np.intp))
        wanted[:count][founds] = names[column]
    return wanted


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
