"""AUC by round, or by a setting, as a picture: a curve per method, its band one deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from aggregator.simulate.table import HEADLINE, Row, Spread
from edge.evaluation.timeline import COLOURS, FAINT, FONT, INK, PAPER, Picture, write_picture

SIZE_PX = (960, 540)  # width, height
LEFT_PX, RIGHT_PX, EDGE_PX = 60, 260, 40  # margins; the legend stands on the right
LINES = (*COLOURS, INK)

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A method's headline figure at n points."""

    name: str
    mean: Floats  # (n,)
    sd: Floats  # (n,)

    @classmethod
    def of(cls, name: str, spreads: Sequence[Spread]) -> Curve:
        """What is not defined is drawn as chance."""
        mean, sd = np.array([[spread.mean, spread.sd] for spread in spreads]).T
        return cls(name, np.nan_to_num(mean, nan=0.5), np.nan_to_num(sd))


def write_plots(folder: Path, dataset: str, rows: Sequence[Row]) -> list[Path]:
    """AUC by round, a picture for each share of labels; raises StorageError."""
    paths = []
    for share in dict.fromkeys(row.labelled_share for row in rows):
        shown = [row for row in rows if row.labelled_share == share]
        setting = shown[0].setting + (f"-{share:g}" if share else "")
        path = folder / f"{dataset}-{setting}.png"
        write_picture(path, draw_rounds(shown, f"{dataset}, {setting}: causal micro AUC by round"))
        paths.append(path)
    return paths


def write_sweep(
    folder: Path, dataset: str, name: str, values: Sequence[object], tables: Sequence[Sequence[Row]]
) -> Path:
    """AUC after the last round by the value of a setting; raises StorageError."""
    curves = [
        Curve.of(_titled(rows[0]), [row.figures[HEADLINE] for row in rows])
        for rows in zip(*tables, strict=True)
    ]
    setting = tables[0][0].setting
    path = folder / f"{dataset}-{setting}-by-{name}.png"
    title = f"{dataset}, {setting}: causal micro AUC by {name}"
    write_picture(path, draw_curves(curves, [str(value) for value in values], title))
    return path


def draw_rounds(rows: Sequence[Row], title: str) -> Picture:
    """Draw the headline figure of each row over the rounds that were judged."""
    curves = [
        Curve.of(row.method, [figures[HEADLINE] for figures in row.per_round]) for row in rows
    ]
    judged = max((row.judged for row in rows), key=len)
    ticks = ["" for _ in judged[1:-1]]
    return draw_curves(
        curves, [str(judged[0]), *ticks, f"round {judged[-1]}"][-len(judged) :], title
    )


def draw_curves(curves: Sequence[Curve], ticks: Sequence[str], title: str) -> Picture:
    """One curve for each method, over points that are named below."""
    width, height = SIZE_PX
    picture = np.full((height, width, 3), PAPER, np.uint8)
    low, high = _range(curves)
    count = len(ticks)
    _frame(picture, low, high, ticks, title)
    for each in curves:  # all bands below all curves
        edges = (each.mean - each.sd, each.mean + each.sd)
        _band(picture, *(_points(edge, low, high, count) for edge in edges))
    for index, each in enumerate(curves):
        colour = LINES[index % len(LINES)]
        points = _points(each.mean, low, high, count)
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
        cv2.circle(picture, tuple(points[-1].tolist()), 4, colour, -1, cv2.LINE_AA)
        place = (width - RIGHT_PX + 14, EDGE_PX + 12 + 20 * index)
        _write(picture, f"{each.name} {100 * each.mean[-1]:.2f}", place, colour)
    return picture


def _titled(row: Row) -> str:
    return f"{row.method} {row.labelled_share:.0%}" if row.labelled_share else row.method


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    low = min(float((each.mean - each.sd).min()) for each in curves)
    high = max(float((each.mean + each.sd).max()) for each in curves)
    return math.floor(low * 50) / 50, max(math.ceil(high * 50) / 50, low + 0.02)


def _points(values: Floats, low: float, high: float, count: int) -> npt.NDArray[np.int32]:
    width, height = SIZE_PX
    step = (width - LEFT_PX - RIGHT_PX) / max(count - 1, 1)
    x = LEFT_PX + step * np.arange(len(values))
    y = height - EDGE_PX - (values - low) / (high - low) * (height - 2 * EDGE_PX)
    return np.rint(np.stack([x, y], axis=1)).astype(np.int32)


def _band(picture: Picture, lower: npt.NDArray[np.int32], upper: npt.NDArray[np.int32]) -> None:
    shade = picture.copy()
    cv2.fillPoly(shade, [np.concatenate([lower, upper[::-1]])], FAINT)
    cv2.addWeighted(shade, 0.5, picture, 0.5, 0, dst=picture)


def _frame(picture: Picture, low: float, high: float, ticks: Sequence[str], title: str) -> None:
    width, height = SIZE_PX
    corner, far = (LEFT_PX, EDGE_PX), (width - RIGHT_PX, height - EDGE_PX)
    cv2.rectangle(picture, corner, far, FAINT, 1)
    for value in (low, (low + high) / 2, high):
        y = int(_points(np.array([value]), low, high, len(ticks))[0, 1])
        cv2.line(picture, (LEFT_PX, y), (width - RIGHT_PX, y), FAINT, 1)
        _write(picture, f"{100 * value:.1f}", (8, y + 4), INK)
    places = _points(np.full(len(ticks), low), low, high, len(ticks))[:, 0].tolist()
    for x, tick in zip(places, ticks, strict=True):
        _write(picture, tick, (x - 4 * len(tick), height - 16), INK)
    _write(picture, title, (LEFT_PX, EDGE_PX - 14), INK)


def _write(picture: Picture, text: str, place: tuple[int, int], colour: tuple[int, ...]) -> None:
    cv2.putText(picture, text, place, FONT, 0.45, colour, 1, cv2.LINE_AA)
