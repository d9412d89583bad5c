"""Object segments of one camera: a ring of the last observations per track."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edge.domain.segment import MAX_GAP_S, SEGMENT_FRAMES, ObjectSegments
from edge.domain.tracks import Tracks

FORGET_S = 30.0
"""A track unseen for longer is dropped, so memory is bounded by what is in sight."""


@dataclass(slots=True)
class _Ring:
    """The last observations of one track, oldest first."""

    first_s: float
    time_s: list[float] = field(default_factory=list)
    boxes: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = field(default_factory=list)

    def append(self, time_s: float, box_xyxy: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        if self.time_s and time_s - self.time_s[-1] > MAX_GAP_S:
            self.time_s.clear()
            self.boxes.clear()
        self.time_s.append(time_s)
        self.boxes.append(box_xyxy)
        del self.time_s[:-SEGMENT_FRAMES], self.boxes[:-SEGMENT_FRAMES]


class Segmenter:
    """Turns the tracks of each analysed frame into object segments.

    The segments after a frame depend on the frames given so far only, not on how they were
    grouped into calls.
    """

    def __init__(self, *, min_seen: int = 4) -> None:
        """Emit tracks from ``min_seen`` observations on, in [1, SEGMENT_FRAMES].

        Fewer than four give a speed that is mostly the detector's jitter.
        """
        self._min_seen = min_seen
        self._rings: dict[int, _Ring] = {}

    def push(self, tracks: Tracks, *, time_s: float, width: int, height: int) -> ObjectSegments:
        """Take one frame's tracks; return the segments that end at it, in the tracks' order."""
        for track_id, box in zip(tracks.track_id.tolist(), tracks.boxes_xyxy, strict=True):
            self._rings.setdefault(track_id, _Ring(time_s)).append(time_s, box)
        self._forget(time_s)
        rings = [self._rings[track_id] for track_id in tracks.track_id.tolist()]
        keep = [k for k, ring in enumerate(rings) if len(ring.time_s) >= self._min_seen]
        if not keep:
            return ObjectSegments.none(width, height)
        return _pack(tracks, keep, [rings[k] for k in keep], width, height)

    def __len__(self) -> int:
        """Tracks remembered."""
        return len(self._rings)

    def _forget(self, time_s: float) -> None:
        stale = [k for k, ring in self._rings.items() if time_s - ring.time_s[-1] > FORGET_S]
        for track_id in stale:
            del self._rings[track_id]


def _pack(
    tracks: Tracks, keep: list[int], rings: list[_Ring], width: int, height: int
) -> ObjectSegments:
    padding = [SEGMENT_FRAMES - len(ring.time_s) for ring in rings]
    times = [[r.time_s[0]] * p + r.time_s for r, p in zip(rings, padding, strict=True)]
    boxes = [[r.boxes[0]] * p + r.boxes for r, p in zip(rings, padding, strict=True)]
    time_s = np.array(times, np.float64)
    return ObjectSegments(
        track_id=tracks.track_id[keep],
        class_id=tracks.class_id[keep],
        time_s=time_s,
        boxes_xyxy=np.array(boxes, np.float32),
        seen=SEGMENT_FRAMES - np.array(padding, np.int32),
        age_s=(time_s[:, -1] - [ring.first_s for ring in rings]).astype(np.float32),
        width=width,
        height=height,
    )
