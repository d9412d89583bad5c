"""Optical-flow histograms: which way what moves is going, and how fast, inside each object's box.

A histogram's eight values are shares of one mean speed: their sum is how fast the moving pixels
go, and what goes to and fro has two that are large.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes
from edge.domain.features import Feature, Features, FeatureSpec
from edge.domain.frame import Bytes2d
from edge.domain.segment import MAX_GAP_S, SEGMENT_FRAMES, ObjectSegments
from edge.domain.tracks import Tracks
from edge.features.flow import FINEST_SCALE, Flow

Array = npt.NDArray[np.float32]

DIRECTIONS = ("right", "down right", "down", "down left", "left", "up left", "up", "up right")
SECTOR = 2 * np.pi / len(DIRECTIONS)

SPEC = FeatureSpec(
    group="object-flow",
    revision=1,
    features=tuple(Feature(f"flow {way}", "heights/s", log_floor=0.05) for way in DIRECTIONS),
)

STEP = 1 << FINEST_SCALE
"""Of the flow's rows and columns every second counts: those between are interpolated."""


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Which way each of N moving pixels of one frame is going."""

    x: npt.NDArray[np.intp]  # (N,) column in the picture that the flow was measured in
    y: npt.NDArray[np.intp]  # (N,) row
    way: npt.NDArray[np.intp]  # (N,) index into DIRECTIONS
    speed: Array  # (N,) pixels per second

    @classmethod
    def of(cls, flow: Flow | None, mask: Bytes2d) -> Directions:
        """Of the pixels where ``mask`` (h, w) is not 0; without a flow there are none."""
        if flow is None:
            nowhere = np.zeros(0, np.intp)
            return cls(nowhere, nowhere, nowhere, np.zeros(0, np.float32))
        rows, columns = flow.window
        y, x = np.nonzero(mask[rows.start : rows.stop : STEP, columns.start : columns.stop : STEP])
        right, down = flow.velocity[y * STEP, x * STEP].T
        way = np.rint(np.arctan2(down, right) / SECTOR).astype(np.intp) % len(DIRECTIONS)
        return cls(x * STEP + columns.start, y * STEP + rows.start, way, np.hypot(right, down))

    def histogram(self, box_xyxy: Boxes | None = None) -> Array:
        """Mean speed of the moving pixels by the way they go, (8,) pixels per second.

        Inside a box of (4,) pixels, or everywhere; 0 where nothing moves.
        """
        way, speed = self.way, self.speed
        if box_xyxy is not None:
            x1, y1, x2, y2 = box_xyxy.tolist()
            inside = (self.x >= x1) & (self.x < x2) & (self.y >= y1) & (self.y < y2)
            way, speed = way[inside], speed[inside]
        total = np.bincount(way, speed, len(DIRECTIONS))
        return np.asarray(total / max(len(way), 1), np.float32)


class ObjectFlow:
    """The histogram inside each object's box, mean over its object segment."""

    def __init__(self) -> None:
        # by track: when it was last seen, and its latest histograms in body heights per second
        self._rings: dict[int, tuple[float, deque[Array]]] = {}

    def observe(
        self,
        tracks: Tracks,
        segments: ObjectSegments,
        directions: Directions,
        *,
        time_s: float,
        scale: float,
    ) -> Features:
        """Describe the N object segments that end at the next frame, (N, 8).

        ``tracks`` are all of that frame's; ``scale``: pixels of the flow per pixel of the frame.
        """
        self._forget(time_s)
        for track_id, box in zip(tracks.track_id.tolist(), tracks.boxes_xyxy, strict=True):
            _, ring = self._rings.get(track_id, (time_s, deque(maxlen=SEGMENT_FRAMES)))
            ring.append(in_heights(directions, box * np.float32(scale)))
            self._rings[track_id] = time_s, ring
        means = [np.mean(self._rings[track][1], axis=0) for track in segments.track_id.tolist()]
        return Features(
            spec=SPEC,
            track_id=segments.track_id,
            class_id=segments.class_id,
            boxes_xyxy=segments.boxes_xyxy[:, -1],
            values=np.array(means, np.float32).reshape(-1, len(SPEC)),
        )

    def _forget(self, time_s: float) -> None:
        """Drop what has no segment any more, so that memory is bounded by what is in sight."""
        stale = [k for k, (seen_s, _) in self._rings.items() if time_s - seen_s > MAX_GAP_S]
        for track_id in stale:
            del self._rings[track_id]


def in_heights(directions: Directions, box_xyxy: Boxes) -> Array:
    """The histogram inside one box (4,), in heights of the box per second, (8,)."""
    height_px = max(float(box_xyxy[3] - box_xyxy[1]), 1.0)
    return directions.histogram(box_xyxy) / np.float32(height_px)
