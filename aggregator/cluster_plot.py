"""Clusters as a picture: what each participant sees, and how far it is from every centre."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from aggregator.cluster_report import ClusterReport
from aggregator.strategies.roster import Member
from edge.domain.weights import Shares
from edge.evaluation.timeline import COLOURS, FAINT, FONT, INK, PAPER, Picture, write_picture

__all__ = ["draw_clusters", "write_picture"]

NAME_PX, BAR_PX, CELL_PX, ROW_PX, EDGE_PX = 190, 460, 64, 22, 24
TEXT_SCALE = 0.42  # of ``FONT``
HEAD_PX = 72  # title and legend
GAP_PX = 30  # above each cluster, for its name
REST = (170, 170, 170)  # of all classes that have no colour of their own
NEAR = (120, 70, 10)  # a cell at the distance 0; as far as anybody is: paper

Colour = tuple[int, int, int]


def draw_clusters(report: ClusterReport) -> Picture:
    """Participants by cluster: bars of what they see, a matrix of distances to all centres."""
    labels = [cluster.label for cluster in report.clusters]
    height = HEAD_PX + len(labels) * GAP_PX + len(report.members) * ROW_PX + EDGE_PX
    # as wide as the longest name: names that were cut short could look the same
    left = EDGE_PX + max([NAME_PX, *(_width(name) + EDGE_PX for name in report.members)])
    width = max(left + BAR_PX + EDGE_PX + CELL_PX * (len(labels) + 1), 4 * NAME_PX)
    picture = np.full((height, width, 3), PAPER, np.uint8)
    ranked = _by_frequency(report)
    _head(picture, report, ranked)
    farthest = max(_joints(report, report.members.values()), default=1.0) or 1.0
    top = HEAD_PX
    for cluster in report.clusters:
        told = f"cluster {cluster.label}: {len(cluster.members)} members"
        _write(picture, told, (EDGE_PX, top + GAP_PX - 8))
        _columns(picture, labels, left, top)
        top += GAP_PX
        for name in cluster.members:
            member = report.members[name]
            _write(picture, name, (EDGE_PX, top + ROW_PX - 7))
            _bar(picture, member.objects, ranked, left, top)
            for column, label in enumerate(labels):
                x = _cell_x(left, column)
                _cell(picture, _joint(report, member, label), farthest, x, top)
            top += ROW_PX
    return picture


def _by_frequency(report: ClusterReport) -> list[int]:
    """Indices of all classes, what is seen most first."""
    said = [member.objects for member in report.members.values() if member.objects is not None]
    sums = np.sum(said, axis=0) if said else np.zeros(len(report.classes))
    return [int(index) for index in np.argsort(-sums, kind="stable")]


def _head(picture: Picture, report: ClusterReport, ranked: Sequence[int]) -> None:
    title = f"round {report.round}: shares of objects, and distances to the clusters' centres"
    _write(picture, title, (EDGE_PX, EDGE_PX))
    x, named = EDGE_PX, [report.classes[index] for index in ranked[: len(COLOURS)]]
    if len(ranked) > len(COLOURS):
        named.append("the rest")
    for name, colour in zip(named, (*COLOURS, REST), strict=False):
        cv2.rectangle(picture, (x, 44), (x + 12, 56), colour, -1)
        _write(picture, name, (x + 17, 55))
        x += 30 + _width(name)


def _columns(picture: Picture, labels: Iterable[int], left: int, top: int) -> None:
    for column, label in enumerate(labels):
        _write(picture, f"to {label}", (_cell_x(left, column) + 14, top + GAP_PX - 8))


def _bar(
    picture: Picture, objects: Shares | None, ranked: Sequence[int], left: int, top: int
) -> None:
    """One participant's shares, side by side."""
    bottom = top + ROW_PX - 4
    if objects is None:
        cv2.rectangle(picture, (left, top), (left + BAR_PX, bottom), FAINT, 1)
        return
    edges = left + np.rint(BAR_PX * np.cumsum(objects[list(ranked)])).astype(int)
    for place, (begin, end) in enumerate(zip([left, *edges[:-1]], edges, strict=True)):
        colour = COLOURS[place] if place < len(COLOURS) else REST
        if end > begin:
            cv2.rectangle(picture, (int(begin), top), (int(end) - 1, bottom), colour, -1)


def _cell(picture: Picture, distance: float | None, farthest: float, x: int, top: int) -> None:
    bottom = top + ROW_PX - 4
    if distance is None:
        cv2.rectangle(picture, (x, top), (x + CELL_PX - 4, bottom), FAINT, 1)
        return
    share = distance / farthest
    shade = [round(near + share * (far - near)) for near, far in zip(NEAR, PAPER, strict=True)]
    cv2.rectangle(picture, (x, top), (x + CELL_PX - 4, bottom), shade, -1)
    _write(picture, f"{distance:.2f}", (x + 14, bottom - 4), PAPER if share < 0.5 else INK)


def _cell_x(left: int, column: int) -> int:
    """Where a column begins, of bars that begin at ``left``."""
    return left + BAR_PX + EDGE_PX + CELL_PX * column


def _joints(report: ClusterReport, members: Iterable[Member]) -> list[float]:
    found = (report.joint(away) for member in members for away in member.away.values())
    return [distance for distance in found if distance is not None]


def _joint(report: ClusterReport, member: Member, label: int) -> float | None:
    away = member.away.get(label)
    return None if away is None else report.joint(away)


def _write(picture: Picture, text: str, place: tuple[int, int], colour: Colour = INK) -> None:
    cv2.putText(picture, text, place, FONT, TEXT_SCALE, colour, 1, cv2.LINE_AA)


def _width(text: str) -> int:
    """Pixels of what ``_write`` writes."""
    return int(cv2.getTextSize(text, FONT, TEXT_SCALE, 1)[0][0])
