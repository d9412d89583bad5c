"""Flat coloured shapes in pixels: what sprites are made of, and how they reach the picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.ingest.synthetic.actors import Colour
from edge.ingest.synthetic.camera import Array

Image = npt.NDArray[np.uint8]  # (height, width, 3) BGR, or (height, width)
SUBPIXEL_BITS = 4
SOFT_PX = 0.5  # a soft edge reaches visibly that far beyond its outline

_TURN = np.linspace(0, 2 * np.pi, 9)[:-1]
_CIRCLE = np.column_stack([np.cos(_TURN), np.sin(_TURN)])  # (8, 2)
_ARC = np.array([(np.cos(turn), np.sin(turn)) for turn in np.linspace(-np.pi / 2, np.pi / 2, 5)])


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A filled polygon, or an outline where it has a line width."""

    points_px: Array  # (n, 2)
    colour: Colour
    line_px: int = 0  # 0: filled


def paint(picture: Image, shapes: Sequence[Shape]) -> None:
    """Draw the shapes in order, with soft edges, into an 8-bit picture."""
    together = np.concatenate([shape.points_px for shape in shapes])
    points = np.rint(together * (1 << SUBPIXEL_BITS)).astype(np.int32)
    start = 0
    for shape in shapes:
        part = [points[start : start + len(shape.points_px)]]
        start += len(shape.points_px)
        if shape.line_px:
            cv2.polylines(picture, part, True, shape.colour, shape.line_px, cv2.LINE_AA,
                          SUBPIXEL_BITS)  # fmt: skip
        else:
            cv2.fillPoly(picture, part, shape.colour, cv2.LINE_AA, SUBPIXEL_BITS)


def bounds(shapes: Iterable[Shape]) -> Array:
    """The box (x1, y1, x2, y2) that holds all pixels of the shapes, pixels, unclipped."""
    by_line: dict[int, list[Array]] = {}
    for shape in shapes:
        by_line.setdefault(shape.line_px, []).append(shape.points_px)
    lows, highs = [], []
    for line_px, outlines in by_line.items():
        points = np.concatenate(outlines)
        lows.append(points.min(0) - line_px / 2 - SOFT_PX)
        highs.append(points.max(0) + line_px / 2 + SOFT_PX + 1)
    return np.concatenate([np.min(lows, 0), np.max(highs, 0)])


def shade(colour: Colour, factor: float) -> Colour:
    """Lighter or darker."""
    blue, green, red = (min(255, int(channel * factor)) for channel in colour)
    return blue, green, red


def capsules(starts_px: Array, ends_px: Array, start_radii: Array, end_radii: Array) -> Array:
    """Limbs: lines (..., 2) to (..., 2) with round ends, as outlines (..., 10, 2), in pixels."""
    along = ends_px - starts_px
    length = np.hypot(along[..., 0], along[..., 1])[..., None]
    along = along / np.maximum(length, 1e-6)
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    half_turn = _ARC[:, :1] * along[..., None, :] + _ARC[:, 1:] * across[..., None, :]
    fronts = ends_px[..., None, :] + end_radii[..., None, None] * half_turn
    backs = starts_px[..., None, :] - start_radii[..., None, None] * half_turn
    return np.concatenate([fronts, backs], axis=-2)


def disc(centre_px: Array, radius_px: float, stretch: float = 1.0) -> Array:
    """An upright ellipse as an octagon, (8, 2)."""
    return np.asarray(centre_px + _CIRCLE * np.array((radius_px, radius_px * stretch)))


def hull(points_px: Array) -> Array:
    """The convex outline of a cloud of points, (n, 2)."""
    return np.asarray(cv2.convexHull(points_px.astype(np.float32))[:, 0], np.float64)
