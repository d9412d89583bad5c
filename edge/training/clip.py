"""A clip: the features of some hundred frames of one camera that followed each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from edge.domain.features import Cells, Features
from edge.domain.segment import MAX_GAP_S, SCENE_SEGMENT_FRAMES
from edge.features import scene_segment


@dataclass(frozen=True, slots=True, eq=False)
class ClipTable:
    """One group's rows of a clip, in time order."""

    frame: npt.NDArray[np.intp]  # (R,) index into the clip's frames, never decreasing
    features: Features  # of all R rows


@dataclass(frozen=True, slots=True, eq=False)
class StoredClip:
    """T frames of one camera that followed each other without a hole."""

    camera: str
    width: int  # of the analysed frames, pixels
    height: int
    time_s: npt.NDArray[np.float64]  # (T,) since the epoch, never decreasing
    score: npt.NDArray[np.float32]  # (T,) NaN where the camera was still learning
    tables: tuple[ClipTable, ...]  # by group

    @property
    def top_score(self) -> float | None:
        """The largest frame score, decades of surprise; None where no frame was scored."""
        scored = self.score[np.isfinite(self.score)]
        return float(scored.max()) if len(scored) else None

    @property
    def scene(self) -> npt.NDArray[np.float32]:
        """Its m scene segments, one after the other, as one vector each: (m, d).

        The groups of ``scene_segment.SPECS`` that it has, in that order; LookupError if none.
        """
        return np.concatenate([table.features.values for table in self._scene()], axis=1)

    @property
    def scene_end(self) -> npt.NDArray[np.intp]:
        """The last frame of each scene segment, (m,)."""
        return self._scene()[0].frame

    def table(self, group: str) -> ClipTable:
        """The rows of one group; raises LookupError where it was not stored or not asked for."""
        for table in self.tables:
            if table.features.spec.group == group:
                return table
        raise LookupError(f"clip of camera {self.camera}: no group {group}")

    def frames(self) -> Iterator[tuple[float, list[Features]]]:
        """Time and groups of frame after frame, as they were measured."""
        count = len(self.time_s)
        bounds = [np.searchsorted(t.frame, np.arange(count + 1)).tolist() for t in self.tables]
        for index, time_s in enumerate(self.time_s.tolist()):
            parts = zip(self.tables, bounds, strict=True)
            yield time_s, [part_of(t.features, slice(b[index], b[index + 1])) for t, b in parts]

    def _scene(self) -> list[ClipTable]:
        wanted = [spec.group for spec in scene_segment.SPECS]
        found = {t.features.spec.group: t for t in self.tables}
        tables = [found[group] for group in wanted if group in found]
        if not tables:
            raise LookupError(f"clip of camera {self.camera}: no scene segments")
        return tables


@dataclass(slots=True)
class Draft:
    """The clip in hand of one camera."""

    camera: str
    width: int
    height: int
    frames_wanted: int
    labels: tuple[str, ...] = ()  # what the class ids point into
    time_s: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    _tables: list[ClipTable] = field(default_factory=list)  # of all frames but the latest
    _latest: list[list[Features]] = field(default_factory=list)

    def fits(self, time_s: float, width: int, height: int) -> bool:
        """Whether a frame goes on where the latest one ended."""
        goes_on = 0 <= time_s - self.time_s[-1] <= MAX_GAP_S
        return goes_on and (width, height) == (self.width, self.height)

    def add(self, groups: Iterable[Features], time_s: float, score: float | None) -> None:
        """Take in a frame; scene segments slide live, but of a clip's they end every sixteenth."""
        ends_segment = (len(self.time_s) + 1) % SCENE_SEGMENT_FRAMES == 0
        self._latest.append(
            [
                group
                if ends_segment or group.spec not in scene_segment.SPECS
                else part_of(group, slice(0))
                for group in groups
            ]
        )
        self.time_s.append(time_s)
        self.score.append(np.nan if score is None else score)
        if ends_segment:
            self._gather()

    def finished(self) -> StoredClip:
        """As what is stored."""
        self._gather()
        return StoredClip(
            camera=self.camera,
            width=self.width,
            height=self.height,
            time_s=np.array(self.time_s, np.float64),
            score=np.array(self.score, np.float32),
            tables=join(self._tables),
        )

    def _gather(self) -> None:
        """Many small arrays take several times the memory of a few large ones."""
        first = len(self.time_s) - len(self._latest)
        self._tables += join(
            ClipTable(np.full(len(group), index, np.intp), group)
            for index, groups in enumerate(self._latest, first)
            for group in groups
        )
        self._latest.clear()


def join(tables: Iterable[ClipTable]) -> tuple[ClipTable, ...]:
    """One table of each group, in the order of first sight; the frames must not go back.

    Groups that share the arrays of their regions share them afterwards too.
    """
    found: dict[str, list[ClipTable]] = {}
    for table in tables:
        found.setdefault(table.features.spec.spec_version, []).append(table)
    regions: dict[tuple[int, ...], ClipTable] = {}
    return tuple(_joined(parts, regions) for parts in found.values())


def _joined(tables: Sequence[ClipTable], regions: dict[tuple[int, ...], ClipTable]) -> ClipTable:
    """``regions`` holds what was joined before, by the arrays that it was joined from."""
    groups = [table.features for table in tables]
    values = np.concatenate([group.values for group in groups])
    source = tuple(id(array) for group in groups for array in _regions(group))
    known = regions.get(source)
    if known is not None:
        return ClipTable(known.frame, replace(known.features, spec=groups[0].spec, values=values))
    cells = [group.cells for group in groups if group.cells is not None]
    features = Features(
        spec=groups[0].spec,
        track_id=np.concatenate([group.track_id for group in groups]),
        class_id=np.concatenate([group.class_id for group in groups]),
        boxes_xyxy=np.concatenate([group.boxes_xyxy for group in groups]),
        values=values,
        cells=_joined_cells(cells) if cells else None,
    )
    joined = ClipTable(np.concatenate([table.frame for table in tables]), features)
    return regions.setdefault(source, joined)


def _regions(group: Features) -> tuple[object, ...]:
    """What tells one region from another; all of it lives as long as the group."""
    cells = group.cells
    places = () if cells is None else (cells.column_row, cells.velocity)
    return (group.track_id, group.class_id, group.boxes_xyxy, *places)


def _joined_cells(cells: Sequence[Cells]) -> Cells:
    rows, columns = np.max([each.shape for each in cells], axis=0).tolist()  # a still frame: (1, 1)
    return Cells(
        np.concatenate([each.column_row for each in cells]),
        np.concatenate([each.velocity for each in cells]),
        (rows, columns),
    )


def part_of(features: Features, rows: slice) -> Features:
    """Some rows of a group."""
    return replace(
        features,
        track_id=features.track_id[rows],
        class_id=features.class_id[rows],
        boxes_xyxy=features.boxes_xyxy[rows],
        values=features.values[rows],
        cells=features.cells and features.cells.part(rows),
    )
