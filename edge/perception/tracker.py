"""Gives detections of successive frames the same id where they are the same object.

ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box",
ECCV 2022), written from the paper: detections of high confidence are matched first, to everything
that is followed; those of low confidence then extend tracks that would otherwise be lost, and
never begin one. Times are in seconds, so that frames may be dropped.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from edge.domain.assignment import Indices, assign
from edge.domain.boxes import Boxes, iou, no_boxes
from edge.domain.detections import Detections
from edge.domain.tracks import Tracks
from edge.perception.kalman import Motions

_ids = itertools.count(1)  # shared by all cameras of the process

OTHER_CLASS = 0.5  # what the overlap with a detection of another class counts
LEAST_SECOND = 0.5  # overlap of the second
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
    lost_s: float = 1.0  # an unseen track is kept this long
    least_hits: int = 2  # detections before a track is listed; they must follow one another


class Tracker:
    """Follows the objects of one camera."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._time_s = 0.0
        self._table = np.zeros(0, _TRACK)
        self._motions = Motions.begin(no_boxes())

    def expect(self, time_s: float) -> Boxes:
        """Where the objects of the latest frame should be at ``time_s``, (N, 4)."""
        self._advance(time_s)
        return self._motions.boxes_xyxy[self._current()]

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
            least=settings.least_overlap,
            fused=True,
        )
        missed = np.intersect1d(missed, current)
        self._match(missed, low, detections, least=LEAST_SECOND, fused=False)
        unseen, spare = self._match(
            np.nonzero(~listed)[0], spare, detections, least=settings.least_overlap_new, fused=True
        )
        begun = detections.where(spare[confidence[spare] >= settings.new_confidence])
        self._table["misses"] += ~self._table["live"]
        self._keep(unseen)
        self._begin(begun)
        return self._seen()

    def carry(self, boxes_xyxy: Boxes, time_s: float) -> Tracks:
        """Follow without a detector: what ``expect`` would list is now seen at these boxes."""
        self._advance(time_s)
        rows = self._current()
        self._motions = self._motions.corrected(rows, boxes_xyxy)
        self._table["seen_s"][rows] = time_s
        return self._seen()

    @property
    def boxes_xyxy(self) -> Boxes:
        """Where everything that is followed is, listed or not, (N, 4)."""
        return self._motions.boxes_xyxy

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
        self, tracks: Indices, found: Indices, detections: Detections, *, least: float, fused: bool
    ) -> tuple[Indices, Indices]:
        """Pair tracks with detections and correct them; returns the tracks and the rest."""
        if not len(tracks) or not len(found):
            return tracks, found
        close = iou(self._motions.boxes_xyxy[tracks], detections.boxes_xyxy[found])
        other = self._table["class_id"][tracks][:, None] != detections.class_id[found][None, :]
        close = np.where(other, OTHER_CLASS * close, close)
        if fused:
            close = close * detections.confidence[found][None, :]
        rows, columns = assign(close.astype(np.float64) - least)
        self._correct(tracks[rows], detections.where(found[columns]))
        return np.delete(tracks, rows), np.delete(found, columns)

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
