"""Boxes as (N, 4) float32 arrays of x1, y1, x2, y2 in pixels of the analysed frame."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Boxes: TypeAlias = npt.NDArray[np.float32]
Floats: TypeAlias = npt.NDArray[np.float32]


def no_boxes() -> Boxes:
    """An empty (0, 4) array: what a frame without objects has."""
    return np.zeros((0, 4), np.float32)


def areas(boxes_xyxy: Boxes) -> Floats:
    """Area of each box in square pixels, (N,)."""
    sides = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def iou(a_xyxy: Boxes, b_xyxy: Boxes) -> Floats:
    """Intersection over union of every pair, (A, B) in [0, 1]; symmetric in its arguments."""
    low = np.maximum(a_xyxy[:, None, :2], b_xyxy[None, :, :2])
    high = np.minimum(a_xyxy[:, None, 2:], b_xyxy[None, :, 2:])
    sides = np.maximum(high - low, 0)
    overlap = sides[..., 0] * sides[..., 1]  # (A, B)
    union = areas(a_xyxy)[:, None] + areas(b_xyxy)[None, :] - overlap
    return np.asarray(overlap / np.maximum(union, 1e-9), np.float32)
