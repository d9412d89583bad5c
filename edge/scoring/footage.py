"""Normal footage as a camera remembers it while learning: features in time order, bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import Cells, Features, FeatureSpec
from edge.scoring.standardise import place_of

Array: TypeAlias = npt.NDArray[np.float32]
Keys: TypeAlias = npt.NDArray[np.int64]

BLOCK_FRAMES = 256
"""Frames kept or dropped together, so that tracks stay whole within a block."""

LONGEST_STEP_S = 2.0
"""A longer pause between frames is a hole: it does not count as footage."""

MOST_BYTES = 64 * 2**20
"""Of arrays: a million rows of objects or cells, or 30 000 action features of 512 numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """All rows of one feature group, in time order."""

    spec: FeatureSpec
    frame: npt.NDArray[np.intp]  # (R,) index into the footage's frames, never decreasing
    track_id: Keys  # (R,) or SCENE
    cells: Cells | None  # of the R rows, where they are no objects
    place: Array  # (R, 2) in [0, 1]
    values: Array  # (R, d) physical units


@dataclass(slots=True)
class _Block:
    time_s: list[float] = field(default_factory=list)
    rows: dict[str, list[tuple[int, Array, Features]]] = field(default_factory=dict)
    seconds: float = 0.0
    bytes: int = 0  # of the rows of all groups


class NormalFootage:
    """Collects the features of normal frames.

    When ``max_bytes`` are reached every second block is forgotten and of later blocks only every
    second is kept: what remains covers the whole time evenly, in bounded memory.
    """

    def __init__(self, *, max_bytes: int = MOST_BYTES) -> None:
        self._max_bytes = max_bytes
        self._specs: dict[str, FeatureSpec] = {}
        self._blocks: list[_Block] = []
        self._open = _Block()
        self._stride = 1
        self._blocks_begun = 0
        self._last_s: float | None = None
        self.watched_s = 0.0  # holes left out, what was forgotten again included

    def add(self, features: Iterable[Features], *, time_s: float, width: int, height: int) -> None:
        """Take in one frame; its time must not be earlier than the last one's."""
        if len(self._open.time_s) == BLOCK_FRAMES:
            self._close()
        block = self._open
        for group in features:
            self._specs.setdefault(group.spec.spec_version, group.spec)
            if len(group):
                place = place_of(group.boxes_xyxy, width, height)
                row = (len(block.time_s), place, group)
                block.rows.setdefault(group.spec.spec_version, []).append(row)
                block.bytes += place.nbytes + _bytes(group)
        block.time_s.append(time_s)
        if self._last_s is not None and time_s - self._last_s <= LONGEST_STEP_S:
            block.seconds += time_s - self._last_s
            self.watched_s += time_s - self._last_s
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
        return [t for t in map(self._table, self._specs.values()) if t is not None]

    def _all(self) -> Sequence[_Block]:
        return [*self._blocks, self._open]

    def _close(self) -> None:
        if self._blocks_begun % self._stride == 0:
            self._blocks.append(self._open)
        self._blocks_begun += 1
        self._open = _Block()
        while len(self._blocks) > 1 and sum(b.bytes for b in self._blocks) > self._max_bytes:
            del self._blocks[1::2]
            self._stride *= 2

    def _table(self, spec: FeatureSpec) -> Table | None:
        start, rows = 0, []
        for block in self._all():
            for frame, place, group in block.rows.get(spec.spec_version, ()):
                rows.append((np.full(len(group), start + frame), place, group))
            start += len(block.time_s)
        if not rows:
            return None
        frames, places, groups = zip(*rows, strict=True)
        return Table(
            spec=spec,
            frame=np.concatenate(frames),
            track_id=np.concatenate([group.track_id for group in groups]),
            cells=_joined([group.cells for group in groups if group.cells is not None]),
            place=np.concatenate(places),
            values=np.concatenate([group.values for group in groups]),
        )


def _bytes(group: Features) -> int:
    """Of all its arrays."""
    own = group.track_id.nbytes + group.class_id.nbytes + group.boxes_xyxy.nbytes
    cells = group.cells
    places = 0 if cells is None else cells.column_row.nbytes + cells.velocity.nbytes
    return own + places + group.values.nbytes


def _joined(cells: list[Cells]) -> Cells | None:
    """The cells of frame after frame, on the largest grid if the camera changed its picture."""
    if not cells:
        return None
    rows, columns = np.max([each.shape for each in cells], axis=0).tolist()
    return Cells(
        np.concatenate([each.column_row for each in cells]),
        np.concatenate([each.velocity for each in cells]),
        (rows, columns),
    )
