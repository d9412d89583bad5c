"""Scene segments one after the other, as a student sees them: no two share a frame.

Live the segments slide with the frames, the feature store keeps every sixteenth. Both are paced by
the same rule, so a camera is calibrated on what it will be scored by.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import SCENE, Cells, Features, FeatureSpec
from edge.domain.segment import MAX_GAP_S, SCENE_SEGMENT_FRAMES
from edge.features import scene_segment
from edge.scoring.footage import Table
from edge.scoring.student import joined

Array: TypeAlias = npt.NDArray[np.float32]

LONGEST_HOLD = 2 * SCENE_SEGMENT_FRAMES
"""A segment is held until the next; after so many frames without one it is over."""

WHOLE = np.array([[0.5, 1.0]], np.float32)
"""The place of the whole picture, as ``place_of`` sees it."""


class Beat(NamedTuple):
    """What a frame means for the segments that follow each other."""

    broken: bool  # what was before does not go on
    taken: bool  # its segment is the next one


class Pace:
    """Takes a segment whenever the frames of the one before it have passed."""

    def __init__(self) -> None:
        self._since = SCENE_SEGMENT_FRAMES  # frames since the latest that was taken
        self._time_s = float("-inf")

    def step(self, time_s: float, *, has_segment: bool) -> Beat:
        """The next frame; ``has_segment``: one ends with it."""
        self._since += 1
        hole = not 0 <= time_s - self._time_s <= MAX_GAP_S
        broken = hole or self._since > LONGEST_HOLD
        if broken:
            self._since = SCENE_SEGMENT_FRAMES
        taken = has_segment and self._since >= SCENE_SEGMENT_FRAMES
        if taken:
            self._since = 0
        self._time_s = time_s
        return Beat(broken, taken)


class SceneReel:
    """The latest segments of one live camera, at most ``length`` of them."""

    def __init__(
        self, length: int = 1, groups: Sequence[FeatureSpec] = scene_segment.SPECS
    ) -> None:
        """``groups``: those that make up a segment, in this order."""
        self._groups = tuple(groups)
        self._pace = Pace()
        self._segments: deque[Features] = deque(maxlen=length)

    def turned(self, length: int, groups: Sequence[FeatureSpec]) -> SceneReel:
        """The same footage for a student that looks back over ``length`` segments."""
        reel = SceneReel(length, groups)
        if reel._groups == self._groups:
            reel._pace = self._pace
            reel._segments.extend(self._segments)
        return reel

    def push(self, groups: Sequence[Features], time_s: float) -> bool:
        """Take in a frame's groups; whether the segments are other ones now."""
        found = {group.spec.spec_version: group for group in groups if len(group)}
        parts = [found.get(spec.spec_version) for spec in self._groups]
        whole = [part for part in parts if part is not None]
        beat = self._pace.step(time_s, has_segment=len(whole) == len(parts))
        if beat.broken:
            self._segments.clear()
        if beat.taken:
            self._segments.append(_joined(whole))
        return beat.broken or beat.taken

    @property
    def newest(self) -> Features | None:
        """The segment that is in force, one row of all groups; None: there is none."""
        return self._segments[-1] if self._segments else None

    @property
    def values(self) -> Array:
        """All segments, the newest last, (k, d) in physical units."""
        return np.concatenate([segment.values for segment in self._segments])


@dataclass(frozen=True, slots=True, eq=False)
class SceneFootage:
    """The segments that follow each other in remembered footage of T frames."""

    segments: Table  # of all its groups as one, E rows
    run: npt.NDArray[np.intp]  # (E,) rows of one run follow each other without a hole
    held: npt.NDArray[np.intp]  # (T,) which segment is in force at each frame, -1: none

    @classmethod
    def of(
        cls,
        tables: Sequence[Table],
        time_s: npt.NDArray[np.float64],
        groups: Sequence[FeatureSpec] = scene_segment.SPECS,
    ) -> SceneFootage | None:
        """From all groups of T frames at time_s (T,); None where they hold no scene segments."""
        found = {table.spec.spec_version: table for table in tables}
        parts = [found[spec.spec_version] for spec in groups if spec.spec_version in found]
        if len(parts) < len(groups):
            return None
        frames = reduce(np.intersect1d, [part.frame for part in parts])  # a row of each
        taken, run, held = _paced(frames, time_s)
        rows = [part.values[np.searchsorted(part.frame, frames[taken])] for part in parts]
        segments = _table(joined(groups), frames[taken], np.concatenate(rows, axis=1))
        return cls(segments, run, held)

    def shown(self) -> tuple[Table, npt.NDArray[np.intp]]:
        """A row for every frame in which a segment is in force, and which one: (R,)."""
        frames = np.flatnonzero(self.held >= 0)
        which = self.held[frames]
        return _table(self.segments.spec, frames, self.segments.values[which]), which


def _paced(
    frames: npt.NDArray[np.intp], time_s: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Of rows that end at ``frames``: those taken (E,), their run (E,), held at each frame (T,)."""
    pace, number, newest = Pace(), 0, -1
    taken: list[int] = []
    run: list[int] = []
    held = np.full(len(time_s), -1, np.intp)
    row_at = dict(zip(frames.tolist(), range(len(frames)), strict=True))
    for frame, at_s in enumerate(time_s.tolist()):
        beat = pace.step(at_s, has_segment=frame in row_at)
        if beat.broken:
            number, newest = number + 1, -1
        if beat.taken:
            newest = len(taken)
            taken.append(row_at[frame])
            run.append(number)
        held[frame] = newest
    return np.array(taken, np.intp), np.array(run, np.intp), held


def _table(spec: FeatureSpec, frame: npt.NDArray[np.intp], values: Array) -> Table:
    count = len(frame)
    return Table(
        spec=spec,
        frame=frame,
        track_id=np.full(count, SCENE, np.int64),
        cells=Cells(np.zeros((count, 2), np.int32), np.zeros((count, 2), np.float32), (1, 1)),
        place=np.repeat(WHOLE, count, axis=0),
        values=values,
    )


def _joined(parts: Sequence[Features]) -> Features:
    """The groups of one segment as one group."""
    first = parts[0]
    return Features(
        spec=joined([part.spec for part in parts]),
        track_id=first.track_id,
        class_id=first.class_id,
        boxes_xyxy=first.boxes_xyxy,
        values=np.concatenate([part.values for part in parts], axis=1),
        cells=first.cells,
    )
