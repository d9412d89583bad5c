"""Trivial scores to print beside a learned one: whoever does not beat them has learnt nothing.

Both are causal, learn nothing and see one frame at a time.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.domain.frame import Bytes2d, Frame
from edge.domain.tracks import Tracks

WIDTH_PX = 320  # pictures are compared at most this wide
PATCHES_DOWN = 16  # patches of a local difference in the height of the picture
LONGEST_GAP_S = 1.0  # a track unseen for longer has no speed
LEAST_GAP_S = 1e-3


class LargestDifference:
    """How much the patch of the picture that changed most has changed since the last frame."""

    def __init__(self) -> None:
        self._last: Bytes2d | None = None

    def observe(self, frame: Frame) -> float:
        """Mean absolute change of that patch in grey levels, in [0, 255]; 0 at the first frame."""
        size = _small(frame.width, frame.height)
        grey = np.asarray(cv2.resize(frame.luma, size, interpolation=cv2.INTER_AREA), np.uint8)
        last, self._last = self._last, grey
        if last is None or last.shape != grey.shape:
            return 0.0
        side = max(1, round(grey.shape[0] / PATCHES_DOWN))
        return float(cv2.blur(cv2.absdiff(grey, last).astype(np.float32), (side, side)).max())


class FastestObject:
    """Speed of the fastest object, in its own heights per second."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, float, float]] = {}  # time, middle right, middle down

    def observe(self, tracks: Tracks, time_s: float) -> float:
        """Of the objects that the frame before showed too; 0 where there is none."""
        fastest = 0.0
        seen = {}
        for track_id, box in zip(tracks.track_id.tolist(), tracks.boxes_xyxy, strict=True):
            x1, y1, x2, y2 = box.tolist()
            seen[track_id] = now = (time_s, (x1 + x2) / 2, (y1 + y2) / 2)
            fastest = max(fastest, _speed(self._last.get(track_id), now) / max(y2 - y1, 1.0))
        recent = {k: v for k, v in self._last.items() if time_s - v[0] <= LONGEST_GAP_S}
        self._last = recent | seen
        return fastest


def _speed(then: tuple[float, float, float] | None, now: tuple[float, float, float]) -> float:
    """Pixels per second between two places, 0 where one is unknown or too long ago."""
    if then is None or not LEAST_GAP_S <= now[0] - then[0] <= LONGEST_GAP_S:
        return 0.0
    return float(np.hypot(now[1] - then[1], now[2] - then[2])) / (now[0] - then[0])


def _small(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, WIDTH_PX / width)
    return max(1, round(width * scale)), max(1, round(height * scale))
