"""What the terms of a camera say of a frame and of each track in it, and what words change in that.

A level is in decades of surprise, among the largest of normal frames. A row speaks of a track where
it is its own, or a cell inside its box; what it says of nobody counts for the frame alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes
from edge.domain.features import Features
from edge.domain.tracks import Tracks
from edge.scoring.model import Term

Array: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]
Pairs: TypeAlias = npt.NDArray[np.bool_]  # (N, tracks)

HELD = -np.inf
"""The change of a track of which nothing is said yet; see ``edge.scoring.newcomers``."""


class Guide(Protocol):
    """Who moves levels as an operator said in words; see ``edge.scoring.guidance``."""

    def saw(self, levels: Array) -> None:
        """What N tracks are at before any change, (N,), the loudest term of each. Every frame."""
        ...

    def change(
        self, actions: Array, boxes_xyxy: Boxes, *, time_s: float, width: int, height: int
    ) -> Array:
        """Decades to add to every level that speaks of N tracks, (N, d), (N, 4) → (N,)."""
        ...

    def may_silence(self, boxes_xyxy: Boxes, *, time_s: float, width: int, height: int) -> Mask:
        """Which of N tracks may be called normal once their actions are known, (N, 4) → (N,)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One group's rows of a frame, seen through its term."""

    order: int  # of the term in the model
    term: Term
    features: Features
    place: Array  # (N, 2) in [0, 1]
    points: Array  # (N, d) as the term's normality compares them
    distance: Array  # (N,)
    level: Array  # (N,) what a row says of the frame
    speaks_of: Pairs  # whether a row concerns a track
    of_tracks: Array  # (N, tracks) what a row says of each; 0 where it does not concern it


def levels_of(parts: Sequence[Judged], terms: int, tracks: int) -> Array:
    """What each term says of the frame and of each track, (terms, 1 + tracks).

    A silent term says 0.
    """
    levels = np.zeros((terms, 1 + tracks), np.float32)
    for part in parts:
        levels[part.order, 0] = part.level.max()
        levels[part.order, 1:] = part.of_tracks.max(axis=0, initial=0)
    return levels


def loudest(parts: Sequence[Judged], place: int) -> tuple[Judged, int]:
    """The loudest row that concerns one track."""
    levels = [part.of_tracks[:, place] for part in parts]
    part = max(range(len(parts)), key=lambda k: float(levels[k].max()))
    return parts[part], int(levels[part].argmax())


def speaks_of(group: Features, tracks: Tracks) -> Pairs:
    """Which of N rows concern which track, (N, tracks): its own, or a cell inside its box."""
    if group.cells is None:
        return np.asarray(group.track_id[:, None] == tracks.track_id[None, :], np.bool_)
    middle = ((group.boxes_xyxy[:, :2] + group.boxes_xyxy[:, 2:]) / 2)[:, None]
    low, high = tracks.boxes_xyxy[None, :, :2], tracks.boxes_xyxy[None, :, 2:]
    return np.asarray(((middle >= low) & (middle <= high)).all(axis=-1), np.bool_)


def guided(part: Judged, tracks: Tracks, change: Array) -> Judged:
    """The same with ``change`` (tracks,) in what is said of each track; no level is below 0.

    A row moves with whomever it speaks of or shows a part of, which the whole picture does of all.
    Whose motion a cell shows cannot be told, so where somebody in it is called normal it is
    silenced for the others, too, and of them counts what is measured of themselves: people whom a
    cyclist passes would alarm in his place. Of 28 alarms that 49 cyclists raised in two generated
    streets 5 were left when one unguided neighbour kept a cell loud, 1 is left now; runners raised
    the same 23.
    """
    concerned = part.speaks_of | _shows(part.features, tracks)
    level = np.maximum(part.level + _moves(concerned, change), 0)
    return replace(part, level=level, of_tracks=level[:, None] * part.speaks_of)


def _moves(concerned: Pairs, change: Array) -> Array:
    """By how much each of N rows moves, (N, tracks), (tracks,) → (N,): down before up.

    Who is ``HELD`` may be anybody and silences nothing but what concerns nobody else.
    """
    known = concerned & (change > HELD)
    heard = np.where(known.any(axis=1, keepdims=True), known, concerned)
    changes = np.where(heard, change, np.float32(0))
    low, high = changes.min(axis=1, initial=0), changes.max(axis=1, initial=0)
    return np.asarray(np.where(low < 0, low, high), np.float32)


def _shows(group: Features, tracks: Tracks) -> Pairs:
    """Which of N cells overlap the box of which track, (N, tracks); objects show themselves."""
    if group.cells is None:
        return np.zeros((len(group), len(tracks)), np.bool_)
    low = np.maximum(group.boxes_xyxy[:, None, :2], tracks.boxes_xyxy[None, :, :2])
    high = np.minimum(group.boxes_xyxy[:, None, 2:], tracks.boxes_xyxy[None, :, 2:])
    return np.asarray((high > low).all(axis=-1), np.bool_)
