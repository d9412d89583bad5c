"""Normal footage as a camera remembers it while learning: features in time order, bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import SCENE, Features, FeatureSpec
from edge.scoring.standardise import place_of

Array: TypeAlias = npt.NDArray[np.float32]
Keys: TypeAlias = npt.NDArray[np.int64]

BLOCK_FRAMES = 256
"""Frames kept or dropped together, so that tracks stay whole within a block."""

CORNER_BITS = 13  # pictures are at most 8191 pixels wide

LONGEST_STEP_S = 2.0
"""A longer pause between frames is a hole: it does not count as footage."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """All rows of one feature group, in time order."""

    spec: FeatureSpec
    frame: npt.NDArray[np.intp]  # (R,) index into the footage's frames, never decreasing
    region: Keys  # (R,) one number per track or scene cell
    place: Array  # (R, 2) in [0, 1]
    values: Array  # (R, d) physical units


@dataclass(slots=True)
class _Block:
    time_s: list[float] = field(default_factory=list)
    rows: dict[str, list[tuple[int, Keys, Array, Array]]] = field(default_factory=dict)
    seconds: float = 0.0
    count: int = 0  # rows of all groups


class NormalFootage:
    """Collects the features of normal frames.

    When ``max_rows`` is reached every second block is forgotten and of later blocks only every
    second is kept: what remains covers the whole time evenly, in bounded memory.
    """

    def __init__(self, *, max_rows: int = 400_000) -> None:
        self._max_rows = max_rows
        self._specs: dict[str, FeatureSpec] = {}
        self._blocks: list[_Block] = []
        self._open = _Block()
        self._stride = 1
        self._blocks_begun = 0
        self._last_s: float | None = None

    def add(self, features: Iterable[Features], *, time_s: float, width: int, height: int) -> None:
        """Take in one frame; its time must not be earlier than the last one's."""
        if len(self._open.time_s) == BLOCK_FRAMES:
            self._close()
        block = self._open
        for group in features:
            self._specs.setdefault(group.spec.spec_version, group.spec)
            if len(group):
                place = place_of(group.boxes_xyxy, width, height)
                row = (len(block.time_s), region_keys(group), place, group.values)
                block.rows.setdefault(group.spec.spec_version, []).append(row)
                block.count += len(group)
        block.time_s.append(time_s)
        if self._last_s is not None and time_s - self._last_s <= LONGEST_STEP_S:
            block.seconds += time_s - self._last_s
        self._last_s = time_s

    @property
    def seconds(self) -> float:
        """How much footage is remembered, holes left out."""
        return sum(block.seconds for block in self._all())

    @property
    def time_s(self) -> npt.NDArray[np.float64]:
        """When each remembered frame was captured, (T,)."""
        return np.array([t for block in self._all() for t in block.time_s])

    def tables(self) -> list[Table]:
        """The remembered rows of every group that has any, in the order of first sight."""
        return [t for t in (self._table(spec) for spec in self._specs.values()) if len(t.frame)]

    def _all(self) -> Sequence[_Block]:
        return [*self._blocks, self._open]

    def _close(self) -> None:
        if self._blocks_begun % self._stride == 0:
            self._blocks.append(self._open)
        self._blocks_begun += 1
        self._open = _Block()
        while len(self._blocks) > 1 and sum(b.count for b in self._blocks) > self._max_rows:
            del self._blocks[1::2]
            self._stride *= 2

    def _table(self, spec: FeatureSpec) -> Table:
        frames, keys, places, values = [], [], [], []
        start = 0
        for block in self._all():
            for frame, key, place, value in block.rows.get(spec.spec_version, ()):
                frames.append(np.full(len(key), start + frame))
                keys.append(key)
                places.append(place)
                values.append(value)
            start += len(block.time_s)
        if not frames:
            none = np.zeros(0, np.int64)
            return Table(spec, none, none, np.zeros((0, 2), np.float32), _no_values(spec))
        return Table(
            spec,
            np.concatenate(frames),
            np.concatenate(keys),
            np.concatenate(places),
            np.concatenate(values),
        )


def region_keys(group: Features) -> Keys:
    """One number per region: the track id, or for a cell of the scene a negative one, (N,).

    A cell is known by its box, so two groups that look at the same cell speak of one region.
    """
    corners = np.clip(np.rint(group.boxes_xyxy), 0, (1 << CORNER_BITS) - 1).astype(np.int64)
    cells = -1 - (corners << (CORNER_BITS * np.arange(4))).sum(axis=1)
    return np.where(group.track_id == SCENE, cells, group.track_id)


def _no_values(spec: FeatureSpec) -> Array:
    return np.zeros((0, len(spec)), np.float32)
