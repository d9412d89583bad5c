"""AUC by round as a picture: one curve per method, its band one standard deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from aggregator.simulate.table import HEADLINE, Row
from edge.evaluation.timeline import FAINT, FONT, INK, PAPER, Picture, write_picture

SIZE_PX = (960, 540)  # width, height
LEFT_PX, RIGHT_PX, EDGE_PX = 60, 260, 40  # margins; the legend stands on the right
COLOURS = (  # BGR, told apart by people who see no red or green (Okabe & Ito)
    (178, 114, 0),
    (0, 94, 213),
    (115, 158, 0),
    (167, 121, 204),
    (233, 180, 86),
    (0, 159, 230),
    (66, 228, 240),
    (0, 0, 0),
)

Floats: TypeAlias = npt.NDArray[np.float64]


def write_plots(folder: Path, dataset: str, rows: Sequence[Row]) -> list[Path]:
    """A picture for each share of labels; raises StorageError."""
    paths = []
    for share in dict.fromkeys(row.labelled_share for row in rows):
        shown = [row for row in rows if row.labelled_share == share]
        setting = shown[0].setting + (f"-{share:g}" if share else "")
        path = folder / f"{dataset}-{setting}.png"
        write_picture(path, draw_rounds(shown, f"{dataset}, {setting}: causal micro AUC by round"))
        paths.append(path)
    return paths


def draw_rounds(rows: Sequence[Row], title: str) -> Picture:
    """Draw the headline figure of each row over its rounds; what is not defined is not drawn."""
    width, height = SIZE_PX
    picture = np.full((height, width, 3), PAPER, np.uint8)
    curves = [_curve(row) for row in rows]
    low, high = _range(curves)
    rounds = max(len(mean) for mean, _ in curves)
    _frame(picture, low, high, rounds, title)
    for mean, sd in curves:  # all bands below all curves
        _band(picture, *(_points(edge, low, high, rounds) for edge in (mean - sd, mean + sd)))
    for index, (row, (mean, _)) in enumerate(zip(rows, curves, strict=True)):
        colour = COLOURS[index % len(COLOURS)]
        points = _points(mean, low, high, rounds)
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
        cv2.circle(picture, tuple(points[-1].tolist()), 4, colour, -1, cv2.LINE_AA)
        place = (width - RIGHT_PX + 14, EDGE_PX + 12 + 20 * index)
        _write(picture, f"{row.method} {100 * mean[-1]:.2f}", place, colour)
    return picture


def _curve(row: Row) -> tuple[Floats, Floats]:
    """Mean and standard deviation by round, two (rounds,)."""
    spreads = [figures[HEADLINE] for figures in row.per_round]
    mean, sd = np.array([[spread.mean, spread.sd] for spread in spreads]).T
    return np.nan_to_num(mean, nan=0.5), np.nan_to_num(sd)


def _range(curves: Sequence[tuple[Floats, Floats]]) -> tuple[float, float]:
    low = min(float((mean - sd).min()) for mean, sd in curves)
    high = max(float((mean + sd).max()) for mean, sd in curves)
    return math.floor(low * 50) / 50, max(math.ceil(high * 50) / 50, low + 0.02)


def _points(values: Floats, low: float, high: float, rounds: int) -> npt.NDArray[np.int32]:
    width, height = SIZE_PX
    step = (width - LEFT_PX - RIGHT_PX) / max(rounds - 1, 1)
    x = LEFT_PX + step * np.arange(len(values))
    y = height - EDGE_PX - (values - low) / (high - low) * (height - 2 * EDGE_PX)
    return np.rint(np.stack([x, y], axis=1)).astype(np.int32)


def _band(picture: Picture, lower: npt.NDArray[np.int32], upper: npt.NDArray[np.int32]) -> None:
    shade = picture.copy()
    cv2.fillPoly(shade, [np.concatenate([lower, upper[::-1]])], FAINT)
    cv2.addWeighted(shade, 0.5, picture, 0.5, 0, dst=picture)


def _frame(picture: Picture, low: float, high: float, rounds: int, title: str) -> None:
    width, height = SIZE_PX
    corner, far = (LEFT_PX, EDGE_PX), (width - RIGHT_PX, height - EDGE_PX)
    cv2.rectangle(picture, corner, far, FAINT, 1)
    for value in (low, (low + high) / 2, high):
        y = int(_points(np.array([value]), low, high, rounds)[0, 1])
        cv2.line(picture, (LEFT_PX, y), (width - RIGHT_PX, y), FAINT, 1)
        _write(picture, f"{100 * value:.1f}", (8, y + 4), INK)
    _write(picture, "1", (LEFT_PX, height - 16), INK)
    _write(picture, f"round {rounds}", (width - RIGHT_PX - 60, height - 16), INK)
    _write(picture, title, (LEFT_PX, EDGE_PX - 14), INK)


def _write(picture: Picture, text: str, place: tuple[int, int], colour: tuple[int, ...]) -> None:
    cv2.putText(picture, text, place, FONT, 0.45, colour, 1, cv2.LINE_AA)
