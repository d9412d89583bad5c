"""Score over time as a picture: the curve, the threshold, and what is known to be anomalous."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import StorageError

Picture = npt.NDArray[np.uint8]  # (H, W, 3) BGR
Floats = npt.NDArray[np.floating]

SIZE_PX = (960, 240)  # width, height
MARGIN_PX = 36
PAPER, INK, FAINT = (255, 255, 255), (60, 60, 60), (225, 225, 225)  # BGR
ANOMALOUS, CURVE, LIMIT = (205, 205, 255), (170, 90, 20), (48, 48, 230)
FONT = cv2.FONT_HERSHEY_SIMPLEX
COLOURS = (  # BGR, told apart by people who see no red or green (Okabe & Ito)
    (178, 114, 0),
    (0, 94, 213),
    (115, 158, 0),
    (167, 121, 204),
    (233, 180, 86),
    (0, 159, 230),
    (66, 228, 240),
)


def draw_timeline(
    time_s: Floats,
    score: Floats,
    *,
    anomalous: npt.NDArray[np.bool_],
    threshold: float | None,
    title: str,
) -> Picture:
    """Draw (T,) scores at (T,) times, T ≥ 1; frames known to be anomalous are shaded."""
    width, height = SIZE_PX
    picture = np.full((height, width, 3), PAPER, np.uint8)
    top = max(float(score.max()), threshold or 0.0, 1e-6) * 1.1
    elapsed = time_s - time_s[0]
    span_s = max(float(elapsed[-1]), 1e-6)
    x = np.rint(MARGIN_PX + elapsed / span_s * (width - 2 * MARGIN_PX)).astype(np.int32)
    y = np.rint(height - MARGIN_PX - score / top * (height - 2 * MARGIN_PX)).astype(np.int32)
    _frame(picture, top, span_s)
    _shade(picture, x, anomalous)
    cv2.polylines(picture, [np.stack([x, y], axis=1)], False, CURVE, 1, cv2.LINE_AA)
    if threshold is not None:
        level = round(height - MARGIN_PX - threshold / top * (height - 2 * MARGIN_PX))
        cv2.line(picture, (MARGIN_PX, level), (width - MARGIN_PX, level), LIMIT, 1)
        _write(picture, f"alarm {threshold:.2f}", (width - MARGIN_PX - 90, level - 5), LIMIT)
    _write(picture, title, (MARGIN_PX, MARGIN_PX - 14), INK)
    return picture


def write_picture(path: Path, picture: Picture) -> None:
    """Write a PNG or JPEG by its ending; raises StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None


def _shade(picture: Picture, x: npt.NDArray[np.int32], anomalous: npt.NDArray[np.bool_]) -> None:
    """Fill each run of anomalous frames; a frame lasts until the next, the last one a pixel."""
    until = np.r_[x[1:], x[-1] + 1]
    edges = np.flatnonzero(np.diff(np.r_[False, anomalous, False]))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        right = max(until[end - 1], x[begin] + 1)
        picture[MARGIN_PX:-MARGIN_PX, x[begin] : right] = ANOMALOUS


def _frame(picture: Picture, top: float, span_s: float) -> None:
    height, width = picture.shape[:2]
    corner, far = (MARGIN_PX, MARGIN_PX), (width - MARGIN_PX, height - MARGIN_PX)
    cv2.rectangle(picture, corner, far, FAINT, 1)
    _write(picture, f"{top:.1f}", (4, MARGIN_PX + 4), INK)
    _write(picture, "0", (MARGIN_PX - 12, height - MARGIN_PX), INK)
    _write(picture, f"{span_s:.0f} s", (width - MARGIN_PX - 30, height - 14), INK)
    _write(picture, "shaded: known to be anomalous", (MARGIN_PX, height - 14), INK)


def _write(picture: Picture, text: str, place: tuple[int, int], colour: tuple[int, ...]) -> None:
    cv2.putText(picture, text, place, FONT, 0.42, colour, 1, cv2.LINE_AA)
