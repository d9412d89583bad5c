"""How well a tracker keeps ids: MOTA and IDF1 on a MOTChallenge sequence.

MOTA after Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR
MOT Metrics", 2008; IDF1 after Ristani et al., "Performance Measures and a Data Set for
Multi-Target, Multi-Camera Tracking", 2016. An object is found where boxes overlap by half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.assignment import assign
from edge.domain.boxes import Boxes, iou
from edge.domain.detections import Detections
from edge.domain.tracks import Tracks
from edge.errors import DatasetError

OVERLAP = 0.5  # least intersection over union of a track and the object that it follows
LAYOUT = (
    "expected det.txt and gt.txt, both with lines of "
    "frame, id, left, top, width, height, confidence"
)
PERSON = 0  # the class of all boxes of a sequence
PAIRS_FIRST = 1e3  # as many pairs as possible come before their overlaps
STANDING_FIRST = 1e6  # ... and pairs of earlier frames before both

Ids: TypeAlias = npt.NDArray[np.int64]
Follow: TypeAlias = Callable[[Detections, float], Tracks]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The objects of one frame, or a tracker's word on them."""

    ids: Ids  # (N,)
    boxes_xyxy: Boxes  # (N, 4)


@dataclass(frozen=True, slots=True)
class MotFigures:
    """How well the tracks of a sequence agree with the truth."""

    mota: float  # 1 - (misses + false positives + switches) / objects; at most 1
    idf1: float  # in [0, 1]
    misses: int
    false_positives: int
    switches: int
    objects: int  # boxes of the truth


def evaluate_mot(root: Path, follow: Follow, *, frame_rate_hz: float = 30.0) -> MotFigures:
    """Run a fresh tracker on ``root/det.txt`` and compare it with ``root/gt.txt``.

    Both are in MOTChallenge's form: frame (from 1), id, left, top, width, height, confidence.
    Raises DatasetError where a file is missing or not of that form.
    """
    truth, found = read_rows(root / "gt.txt"), read_rows(root / "det.txt")
    truth = truth[truth[:, 6] > 0]  # zero marks objects that do not count
    last = int(max(truth[:, 0].max(initial=0), found[:, 0].max(initial=0)))
    tracks = []
    for frame in range(1, last + 1):
        rows = found[found[:, 0] == frame]
        seen = Detections(
            _corners(rows), rows[:, 6].astype(np.float32), np.full(len(rows), PERSON, np.int32)
        )
        followed = follow(seen, frame / frame_rate_hz)
        tracks.append(Truth(followed.track_id, followed.boxes_xyxy))
    objects = [
        Truth(rows[:, 1].astype(np.int64), _corners(rows))
        for rows in (truth[truth[:, 0] == frame] for frame in range(1, last + 1))
    ]
    return compare(objects, tracks)


def read_rows(path: Path) -> npt.NDArray[np.float64]:
    """The rows of a MOTChallenge file, (N, at least 7); raises DatasetError."""
    try:
        lines = path.read_text(encoding="utf-8").split()
        rows = np.loadtxt(lines, delimiter=",", ndmin=2) if lines else np.zeros((0, 0))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); {LAYOUT}") from error
    if rows.shape[1] < 7:
        raise DatasetError(f"{path}: {rows.shape[1]} columns; {LAYOUT}")
    return rows


def compare(objects: Sequence[Truth], tracks: Sequence[Truth]) -> MotFigures:
    """Figures of tracks against true objects, frame by frame."""
    misses = false_positives = switches = 0
    followed_by: dict[int, int] = {}  # the track that an object was last matched with
    for truth, found in zip(objects, tracks, strict=True):
        pairs = _match(truth, found, followed_by)
        switches += sum(followed_by.get(one, other) != other for one, other in pairs.items())
        misses += len(truth.ids) - len(pairs)
        false_positives += len(found.ids) - len(pairs)
        followed_by.update(pairs)
    count = sum(len(truth.ids) for truth in objects)
    return MotFigures(
        mota=1 - (misses + false_positives + switches) / max(count, 1),
        idf1=_idf1(objects, tracks),
        misses=misses,
        false_positives=false_positives,
        switches=switches,
        objects=count,
    )


def _match(truth: Truth, found: Truth, followed_by: Mapping[int, int]) -> dict[int, int]:
    """Object to track: pairs of earlier frames that still overlap stand, the rest is assigned."""
    overlap = iou(truth.boxes_xyxy, found.boxes_xyxy).astype(np.float64)
    overlap[overlap < OVERLAP] = 0
    before = np.array([followed_by.get(int(one), -1) for one in truth.ids], np.int64)
    standing = (before[:, None] == found.ids[None, :]) & (overlap > 0)
    # A track may have followed two of the objects: the first keeps it.
    standing &= np.cumsum(standing, axis=0) == 1
    gain = overlap + PAIRS_FIRST * (overlap > 0) + STANDING_FIRST * standing
    rows, columns = assign(gain)
    return dict(zip(truth.ids[rows].tolist(), found.ids[columns].tolist(), strict=True))


def _idf1(objects: Sequence[Truth], tracks: Sequence[Truth]) -> float:
    """One-to-one pairing of whole trajectories that agrees in most boxes."""
    true_ids, track_ids = _all_ids(objects), _all_ids(tracks)
    together = np.zeros((len(true_ids), len(track_ids)))
    for truth, found in zip(objects, tracks, strict=True):
        near = iou(truth.boxes_xyxy, found.boxes_xyxy) >= OVERLAP
        rows, columns = np.nonzero(near)
        places = np.searchsorted(true_ids, truth.ids[rows])
        together[places, np.searchsorted(track_ids, found.ids[columns])] += 1
    rows, columns = assign(together)
    boxes = sum(len(one.ids) for one in (*objects, *tracks))
    return float(2 * together[rows, columns].sum() / max(boxes, 1))


def _all_ids(frames: Sequence[Truth]) -> Ids:
    return np.unique(np.concatenate([np.zeros(0, np.int64), *(frame.ids for frame in frames)]))


def _corners(rows: npt.NDArray[np.float64]) -> Boxes:
    """MOTChallenge rows to corners, (N, 4)."""
    left, top, width, height = rows[:, 2:6].T
    return np.stack([left, top, left + width, top + height], axis=1).astype(np.float32)
