"""From a mask of moving pixels to boxes of objects.

A connected blob is one object, except where the objects that are followed say otherwise: people
who walk into each other make one blob, which is divided among them pixel by pixel.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes, areas, no_boxes
from edge.perception.sheet import Mask

Labels: TypeAlias = npt.NDArray[np.uint16]  # (h, w) blob of each pixel, 0 for none
Areas: TypeAlias = npt.NDArray[np.float32]  # (N,) pixels

CLOSE_PX = (1, 5)  # width, height: people are upright, so gaps are bridged upwards
LEAST_AREA = 1 / 4000  # of the picture: smaller blobs are noise
LEAST_SIDE_PX = 3
CLAIM = 0.15  # of an expected box that a blob must fill for the object to be in it
INSIDE = 0.7  # of a box that lies in a larger one: a part of it
REACH = 1.25  # how far from its middle, in half sides, pixels still belong to an object


def clean(mask: Mask) -> Mask:
    """Drop specks and bridge the gap between a head and its body."""
    quiet = cv2.medianBlur(mask, 3)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, CLOSE_PX)
    return np.asarray(cv2.morphologyEx(quiet, cv2.MORPH_CLOSE, kernel), np.uint8)


def blobs_of(mask: Mask) -> tuple[Labels, Boxes, Areas]:
    """Connected blobs: their labels from 1, boxes (N, 4) and areas, whatever their size."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
    left, top, width, height, area = stats[1:].T.astype(np.float32)
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    return np.asarray(labels, np.uint16), boxes, area


def large(boxes: Boxes, area: Areas, mask: Mask) -> npt.NDArray[np.bool_]:
    """Which blobs are more than noise, (N,)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    enough = area >= LEAST_AREA * mask.size
    return np.asarray(enough & (sides.min(axis=1, initial=1e9) >= LEAST_SIDE_PX))


def objects_of(mask: Mask, expected: Boxes) -> tuple[Boxes, Areas]:
    """Boxes (N, 4) of the objects of a cleaned mask, in its pixels, and their moving pixels.

    ``expected`` (K, 4) is where the objects that are followed should be by now.
    """
    labels, boxes, area = blobs_of(mask)
    if len(expected) > 1 and len(boxes):
        claims = _claims(labels, len(boxes), expected)
        contested = claims.sum(axis=0) > 1
        parts = [
            _divide(labels, int(blob) + 1, boxes[blob], expected[claims[:, blob]])
            for blob in np.nonzero(contested)[0]
        ]
        boxes = np.concatenate([boxes[~contested], *(part[0] for part in parts)])
        area = np.concatenate([area[~contested], *(part[1] for part in parts)])
    keep = large(boxes, area, mask)
    return boxes[keep], area[keep]


def _claims(labels: Labels, count: int, expected: Boxes) -> npt.NDArray[np.bool_]:
    """Which expected object is in which blob, (K, blobs): the one that fills most of its box."""
    claims = np.zeros((len(expected), count), np.bool_)
    windows = np.clip(np.rint(expected), 0, [*labels.shape[::-1]] * 2).astype(int).tolist()
    for row, (left, top, right, bottom) in enumerate(windows):
        filled = np.bincount(labels[top:bottom, left:right].ravel(), minlength=2)
        filled[0] = 0
        blob = int(filled.argmax())
        if filled[blob] > CLAIM * (right - left) * (bottom - top):
            claims[row, blob - 1] = True
    claims[_parts_of_others(expected)] = False
    return claims


def _parts_of_others(boxes: Boxes) -> npt.NDArray[np.bool_]:
    """Boxes that lie in a larger one, (K,)."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    size = areas(boxes)
    return np.asarray(((shared > INSIDE * size[:, None]) & (size[:, None] < size)).any(axis=1))


def _divide(
    labels: Labels, blob: int, box: npt.NDArray[np.float32], expected: Boxes
) -> tuple[Boxes, Areas]:
    """Give each pixel of a blob to the nearest of the expected boxes, distances in half sides.

    Pixels that are out of everybody's reach become an object of their own.
    """
    left, top, right, bottom = box.astype(int)
    y, x = np.nonzero(labels[top:bottom, left:right] == blob)
    x, y = x + left, y + top
    middle, half = (expected[:, :2] + expected[:, 2:]) / 2, (expected[:, 2:] - expected[:, :2]) / 2
    away = np.maximum(
        np.abs(x + np.float32(0.5) - middle[:, :1]) / half[:, :1],
        np.abs(y + np.float32(0.5) - middle[:, 1:]) / half[:, 1:],
    )  # (K, pixels)
    owner = np.where(away.min(axis=0) <= REACH, away.argmin(axis=0), len(expected))
    boxes, count = [no_boxes()], [np.zeros(0, np.float32)]
    for index in np.unique(owner):
        mine_x, mine_y = x[owner == index], y[owner == index]
        corners = [mine_x.min(), mine_y.min(), mine_x.max() + 1, mine_y.max() + 1]
        boxes.append(np.array([corners], np.float32))
        count.append(np.array([len(mine_x)], np.float32))
    return np.concatenate(boxes), np.concatenate(count)
