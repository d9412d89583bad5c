"""Where boxes went from one frame to the next, from the pixels inside them alone."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes
from edge.perception.sheet import Grey, Mask

GRID = (3, 5)  # points across and down a box
MARGIN = 0.15  # of the box that is left free of points on each side
WINDOW_PX = 7  # side of the patch that is looked for around a point
LEAST_TEXTURE = 1e-3  # OpenCV's measure of whether a patch can be found again
LEAST_MOVING = 0.05  # part of a box that must move for it to have moved


def moving_share(mask: Mask, boxes_xyxy: Boxes) -> npt.NDArray[np.float32]:
    """Part of each box (N, 4) in pixels of the mask that moves, (N,) in [0, 1]."""
    total = cv2.integral(mask)  # (h + 1, w + 1)
    limit = np.array([mask.shape[1], mask.shape[0]] * 2)
    x1, y1, x2, y2 = np.clip(np.rint(boxes_xyxy), 0, limit).astype(np.intp).T
    inside = total[y2, x2] - total[y1, x2] - total[y2, x1] + total[y1, x1]
    return np.asarray(inside / np.maximum((x2 - x1) * (y2 - y1), 1), np.float32)


def follow(before: Grey, now: Grey, mask: Mask, boxes_xyxy: Boxes, expected: Boxes) -> Boxes:
    """Boxes (N, 4) of the picture before, moved by the median flow of their moving points.

    The Lucas-Kanade flow of a few points, as in Kalal et al., "Forward-Backward Error", ICPR
    2010. A box in which hardly anything moves stays where it is; one without texture is where it
    is expected (N, 4).
    """
    moved = boxes_xyxy.copy()
    walking = np.nonzero(moving_share(mask, boxes_xyxy) >= LEAST_MOVING)[0]
    if not len(walking):
        return moved
    points = _grid(boxes_xyxy[walking])  # (W, points, 2)
    ends, found, _ = cv2.calcOpticalFlowPyrLK(
        before,
        now,
        points.reshape(-1, 1, 2),
        np.empty_like(points),
        winSize=(WINDOW_PX, WINDOW_PX),
        maxLevel=2,
        minEigThreshold=LEAST_TEXTURE,
    )
    steps = ends.reshape(points.shape) - points
    good = (found.reshape(points.shape[:2]) > 0) & _moving(mask, points)
    for index, step, use in zip(walking, steps, good, strict=True):
        if use.any():
            moved[index] += np.tile(np.median(step[use], axis=0), 2)
        else:
            moved[index] = expected[index]
    return moved


def _grid(boxes_xyxy: Boxes) -> npt.NDArray[np.float32]:
    """Points inside each box, (N, points, 2)."""
    x, y = (np.linspace(MARGIN, 1 - MARGIN, count) for count in GRID)
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    low, sides = boxes_xyxy[:, None, :2], (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2])[:, None]
    return np.asarray(low + places * sides, np.float32)


def _moving(mask: Mask, points: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    limit = np.array([mask.shape[1] - 1, mask.shape[0] - 1])
    x, y = np.moveaxis(np.clip(points, 0, limit).astype(np.intp), -1, 0)
    return np.asarray(mask[y, x] > 0)
