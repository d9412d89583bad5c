"""Privacy masks: polygons in fractions of the picture, so that they survive scaling."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.frame import Bytes2d
from edge.errors import ConfigError

Points = Sequence[Sequence[float]]
Polygon = npt.NDArray[np.float64]  # (P, 2) x, y as fractions of width and height

BLACK = 16
NEUTRAL_CHROMA = 128
SHIFT = 8  # binary places of a corner when it is drawn
MARGIN = 2  # pixels around the canvas: OpenCV draws clipped outlines incompletely
MIN_AREA = 1e-6  # of the picture; less is a line or a slip


def polygon(points: Points, name: str) -> Polygon:
    """Check the corners of one polygon; ``name`` says which in the error.

    Raises:
        ConfigError: fewer than three corners, not pairs, outside [0, 1], or without area.

    """
    if len(points) < 3 or any(len(point) != 2 for point in points):
        raise ConfigError(f"{name}: a polygon needs three or more corners [x, y]")
    if not all(math.isfinite(value) and 0 <= value <= 1 for point in points for value in point):
        raise ConfigError(
            f"{name}: corners are fractions of the picture, 0 to 1, from the top left; not pixels"
        )
    corners = np.array(points, np.float64)
    if abs(_signed_area(corners)) < MIN_AREA:
        raise ConfigError(f"{name}: the corners lie on one line; list them around the area")
    return corners


def _signed_area(corners: Polygon) -> float:
    x, y = corners[:, 0], corners[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


class PrivacyMasks:
    """Blacks out polygons in the planes of a picture, brightness and colour alike.

    Outlines are drawn up to two pixels too wide: better to hide too much than too little.
    """

    def __init__(self, polygons: Sequence[Points] = ()) -> None:
        self._polygons = tuple(
            polygon(points, f"privacy mask {number}") for number, points in enumerate(polygons, 1)
        )
        self._keep = np.zeros((0, 0), np.uint8)  # planes' shape, 0 where hidden, else 255
        self._paint = np.zeros((0, 0), np.uint8)  # what is put there instead, else 0

    def apply(self, planes: Bytes2d) -> None:
        """Black out I420 planes, (height * 3 / 2, width), in place."""
        if not self._polygons:
            return
        if self._keep.shape != planes.shape:
            self._prepare(planes.shape[1], planes.shape[0] * 2 // 3)
        np.bitwise_and(planes, self._keep, out=planes)
        np.bitwise_or(planes, self._paint, out=planes)

    def visible(self, width: int, height: int) -> npt.NDArray[np.bool_] | None:
        """Which cells of a (height, width) grid over the picture are free; None: all of them."""
        return ~self._hidden(width, height) if self._polygons else None

    def _prepare(self, width: int, height: int) -> None:
        luma = self._hidden(width, height)
        chroma = luma.reshape(height // 2, 2, width // 2, 2).any(axis=(1, 3)).ravel()
        hidden = np.concatenate([luma.ravel(), chroma, chroma]).reshape(-1, width)
        self._keep = np.where(hidden, np.uint8(0), np.uint8(255))
        self._paint = np.where(hidden, np.uint8(NEUTRAL_CHROMA), np.uint8(0))
        self._paint[:height][luma] = BLACK

    def _hidden(self, width: int, height: int) -> npt.NDArray[np.bool_]:
        """(height, width): pixels that a polygon covers or touches."""
        canvas = np.zeros((height + 2 * MARGIN, width + 2 * MARGIN), np.uint8)
        for corners in self._polygons:
            pixels = corners * (width, height) + (MARGIN - 0.5)  # a pixel's middle is its place
            fixed_point = np.rint(pixels * (1 << SHIFT)).astype(np.int32)
            cv2.fillPoly(canvas, [fixed_point], (1,), shift=SHIFT)
        drawn = cv2.dilate(canvas, np.ones((3, 3), np.uint8))[MARGIN:-MARGIN, MARGIN:-MARGIN]
        return np.asarray(drawn > 0, np.bool_)
