"""Gives detections of successive frames the same id where they are the same object.

ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box",
ECCV 2022), written from the paper: detections of high confidence are matched first, to everything
that is followed; those of low confidence then extend tracks that would otherwise be lost, and
never begin one. Times are in seconds, so that frames may be dropped.

At five frames a second a runner or a cyclist leaves the own box between two sights, and overlap
says nothing. Where ``reach`` is set, what is left at the end is paired by distance, in the spirit
of buffered IoU (Yang et al., "Hard to Track Objects with Irregular Motions and Similar
Appearances?", WACV 2023), but with a gate that grows with time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from edge.domain.assignment import Indices, assign
from edge.domain.boxes import Boxes, Floats, areas, iou, no_boxes
from edge.domain.detections import Detections
from edge.domain.tracks import Tracks
from edge.perception.kalman import Motions

Closeness: TypeAlias = Callable[[Indices, Detections], Floats]

_ids = itertools.count(1)  # shared by all cameras of the process

OTHER_CLASS = 0.5  # what the overlap with a detection of another class counts
LEAST_SECOND = 0.5  # overlap of the second matching
ALIKE = 0.6  # smaller over larger side that two boxes of one object have at least
LONGEST_REACH_S = 0.5  # who was away longer is looked for no farther
SAME = 0.85  # a lost track that overlaps a live one this much is its double

_TRACK = np.dtype(
    [
        ("id", np.int64),
        ("class_id", np.int32),
        ("confidence", np.float32),
        ("hits", np.int64),  # detections so far
        ("misses", np.int64),  # times in a row that the detector overlooked it
        ("seen_s", np.float64),  # time of the latest
        ("live", np.bool_),  # seen in the latest frame
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSettings:
    """ByteTrack's published defaults, its 30 lost frames of 30 Hz footage written as a second."""

    high_confidence: float = 0.5  # from here on a detection takes part in the first matching
    new_confidence: float = 0.6  # ... and begins a track
    low_confidence: float = 0.1  # below, it is ignored
    least_overlap: float = 0.2  # times confidence, of the first matching (published limit 0.8)
    least_overlap_new: float = 0.3  # ... with tracks that were seen too rarely to be listed
    reach: float = 0.0  # sizes per second that an object may be beside its expected place
    lost_s: float = 1.0  # an unseen track is kept this long
    least_hits: int = 2  # detections before a track is listed; they must follow one another

    @classmethod
    def beginning_at(cls, confidence: float) -> TrackerSettings:
        """Settings for a detector whose detections of this confidence may begin a track.

        The published limits were chosen for a large network; those of a smaller one, which is less
        sure of the same objects, keep their proportions. Limits of overlap are in proportion too,
        because the matching multiplies overlap by confidence.
        """
        published = cls()
        factor = confidence / published.new_confidence
        high = factor * published.high_confidence
        return cls(
            high_confidence=high,
            new_confidence=confidence,
            low_confidence=min(published.low_confidence, high),
            least_overlap=factor * published.least_overlap,
            least_overlap_new=factor * published.least_overlap_new,
        )


class Tracker:
    """Follows the objects of one camera."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._time_s = 0.0
        self._table = np.zeros(0, _TRACK)
        self._motions = Motions.begin(no_boxes())

    def expect(self, time_s: float, *, newcomers: bool = False) -> Boxes:
        """Where the objects of the latest frame should be at ``time_s``, (N, 4).

        ``newcomers``: also those that were seen too rarely to be listed; ``carry`` takes both.
        """
        self._advance(time_s)
        return self.live_boxes_xyxy if newcomers else self._motions.boxes_xyxy[self._current()]

    def update(self, detections: Detections, time_s: float) -> Tracks:
        """Follow the tracks into a new frame; returns those seen in it."""
        self._advance(time_s)
        settings, confidence = self._settings, detections.confidence
        high = confidence >= settings.high_confidence
        low = np.nonzero(~high & (confidence >= settings.low_confidence))[0]
        current, listed = self._current(), self._listed()
        self._table["live"] = False

        missed, spare = self._match(
            np.nonzero(listed)[0],
            np.nonzero(high)[0],
            detections,
            self._sure_overlap,
            least=settings.least_overlap,
        )
        missed = np.intersect1d(missed, current)
        missed, _ = self._match(missed, low, detections, self._overlap, least=LEAST_SECOND)
        unseen, spare = self._match(
            np.nonzero(~listed)[0],
            spare,
            detections,
            self._sure_overlap,
            least=settings.least_overlap_new,
        )
        if settings.reach > 0:
            lost = np.concatenate([missed, unseen])
            lost, spare = self._match(lost, spare, detections, self._nearness, least=0.0)
            unseen = np.intersect1d(lost, unseen)
        begun = detections.where(spare[confidence[spare] >= settings.new_confidence])
        self._table["misses"] += ~self._table["live"]
        self._keep(unseen)
        self._begin(begun)
        return self._seen()

    def carry(self, boxes_xyxy: Boxes, time_s: float) -> Tracks:
        """Follow without a detector: what ``live_boxes_xyxy`` lists is now at these boxes."""
        self._advance(time_s)
        rows = np.nonzero(self._table["live"])[0]
        self._motions = self._motions.corrected(rows, boxes_xyxy)
        self._table["seen_s"][rows] = time_s
        return self._seen()

    @property
    def boxes_xyxy(self) -> Boxes:
        """Where everything that is followed is, listed or not, (N, 4)."""
        return self._motions.boxes_xyxy

    @property
    def live_boxes_xyxy(self) -> Boxes:
        """Where everything is that was seen in the latest frame, listed or not, (N, 4)."""
        return np.asarray(self._motions.boxes_xyxy[self._table["live"]], np.float32)

    @property
    def unsettled(self) -> bool:
        """Whether some object was seen too rarely to be listed, or was missed just once."""
        return bool((~self._listed() | (self._table["misses"] == 1)).any())

    def _advance(self, time_s: float) -> None:
        self._motions = self._motions.predict(max(time_s - self._time_s, 0.0))
        self._time_s = time_s

    def _listed(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.asarray(self._table["hits"] >= self._settings.least_hits)

    def _current(self) -> Indices:
        return np.nonzero(self._listed() & self._table["live"])[0]

    def _match(
        self,
        tracks: Indices,
        found: Indices,
        detections: Detections,
        closeness: Closeness,
        *,
        least: float,
    ) -> tuple[Indices, Indices]:
        """Pair tracks with detections and correct them; returns the tracks and the rest."""
        if not len(tracks) or not len(found):
            return tracks, found
        close = closeness(tracks, detections.where(found))
        rows, columns = assign(close.astype(np.float64) - least)
        self._correct(tracks[rows], detections.where(found[columns]))
        return np.delete(tracks, rows), np.delete(found, columns)

    def _overlap(self, tracks: Indices, found: Detections) -> Floats:
        """IoU of every pair, (tracks, found), less where the class differs."""
        close = iou(self._motions.boxes_xyxy[tracks], found.boxes_xyxy)
        other = self._table["class_id"][tracks][:, None] != found.class_id[None, :]
        return np.where(other, OTHER_CLASS * close, close)

    def _sure_overlap(self, tracks: Indices, found: Detections) -> Floats:
        """The same times confidence."""
        return self._overlap(tracks, found) * found.confidence[None, :]

    def _nearness(self, tracks: Indices, found: Detections) -> Floats:
        """1 where a detection is at the expected place, 0 out of reach, (tracks, found)."""
        expected = self._motions.boxes_xyxy[tracks]
        side, other_side = np.sqrt(areas(expected))[:, None], np.sqrt(areas(found.boxes_xyxy))
        smaller, larger = np.minimum(side, other_side), np.maximum(side, other_side)
        away_s = np.minimum(self._time_s - self._table["seen_s"][tracks], LONGEST_REACH_S)
        reach = self._settings.reach * away_s[:, None] * smaller
        step = _centres(expected)[:, None] - _centres(found.boxes_xyxy)[None, :]
        near = 1 - np.linalg.norm(step, axis=2) / np.maximum(reach, 1e-6)
        return np.asarray(np.where(smaller >= ALIKE * larger, near, 0), np.float32)

    def _correct(self, tracks: Indices, seen: Detections) -> None:
        self._motions = self._motions.corrected(tracks, seen.boxes_xyxy)
        table = self._table
        table["class_id"][tracks] = seen.class_id
        table["confidence"][tracks] = seen.confidence
        table["hits"][tracks] += 1
        table["misses"][tracks] = 0
        table["seen_s"][tracks] = self._time_s
        table["live"][tracks] = True

    def _keep(self, unseen: Indices) -> None:
        """Drop the given new tracks, those lost too long and lost doubles of live ones."""
        keep = self._time_s - self._table["seen_s"] <= self._settings.lost_s
        keep[unseen] = False
        live = self._table["live"]
        if live.any() and not live.all():
            boxes = self._motions.boxes_xyxy
            keep[~live] &= (iou(boxes[~live], boxes[live]) < SAME).all(axis=1)
        self._table, self._motions = self._table[keep], self._motions.where(keep)

    def _begin(self, found: Detections) -> None:
        fresh = np.zeros(len(found), _TRACK)
        fresh["id"] = list(itertools.islice(_ids, len(found)))
        fresh["class_id"], fresh["confidence"] = found.class_id, found.confidence
        fresh["hits"], fresh["seen_s"], fresh["live"] = 1, self._time_s, True
        self._table = np.concatenate([self._table, fresh])
        self._motions = self._motions.joined(Motions.begin(found.boxes_xyxy))

    def _seen(self) -> Tracks:
        rows = self._current()
        table = self._table[rows]
        return Tracks(
            table["id"].copy(),
            self._motions.boxes_xyxy[rows],
            table["confidence"].copy(),
            table["class_id"].copy(),
        )


def _centres(boxes_xyxy: Boxes) -> Floats:
    return np.asarray((boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2, np.float32)
