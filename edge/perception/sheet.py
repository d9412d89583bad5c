"""A frame made small enough to compare: brightness, and below it colour at half the size.

A sheet is a picture laid out like the frame's own I420 planes, except that U and V
stand side by side: what is done to every pixel is done to brightness and colour in one call.
"""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.frame import Frame

Sheet: TypeAlias = npt.NDArray[np.uint8]  # (h + ceil(h / 2), w)
Grey: TypeAlias = npt.NDArray[np.uint8]  # (h, w)
Mask: TypeAlias = npt.NDArray[np.uint8]  # (h, w) of 0 and 1
Scalar = TypeVar("Scalar", bound=np.generic)

WIDTH_PX = 320  # widest picture that motion is looked for in
NEUTRAL = 128  # U and V of what has no colour


def motion_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the picture that motion is looked for in; the width is even."""
    scale = min(1.0, WIDTH_PX / width)
    return round(width * scale), max(1, round(height * scale))


def sheet_of(frame: Frame) -> Sheet:
    """The frame's brightness and colour at ``motion_size``."""
    width, height = motion_size(frame.width, frame.height)
    sheet = np.empty((height + _half(height), width), np.uint8)
    _shrink(frame.luma, sheet[:height])
    colour = frame.planes[frame.height :].reshape(2, frame.height // 2, frame.width // 2)
    for plane, place in zip(colour, np.split(sheet[height:], 2, axis=1), strict=True):
        _shrink(plane, place)
    return sheet


def grey_sheet(grey: Grey) -> Sheet:
    """Brightness (h, w) of even width as a sheet without colour."""
    return np.pad(grey, ((0, _half(len(grey))), (0, 0)), constant_values=NEUTRAL)


def grey_of(sheet: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """The brightness of a sheet, a view."""
    return sheet[: len(sheet) * 2 // 3]


def colour_of(sheet: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """U and V of a sheet side by side, a view."""
    return sheet[len(sheet) * 2 // 3 :]


def in_colour(mask: Sheet) -> Mask:
    """Where a mask over a sheet is set in U or V, at the size of the brightness."""
    u, v = np.split(colour_of(mask), 2, axis=1)
    height, width = grey_of(mask).shape
    return np.asarray(cv2.resize(u | v, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def spread(mask: Mask) -> Sheet:
    """A mask of the brightness laid over brightness and colour."""
    height, width = mask.shape
    half = cv2.resize(mask, (width // 2, _half(height)), interpolation=cv2.INTER_NEAREST)
    return np.concatenate([mask, np.tile(np.asarray(half, np.uint8), 2)])


def _shrink(plane: Grey, place: Grey) -> None:
    place[:] = cv2.resize(plane, place.shape[::-1], interpolation=cv2.INTER_AREA)


def _half(height: int) -> int:
    return (height + 1) // 2
