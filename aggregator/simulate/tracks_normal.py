"""ShanghaiTech Campus as tracks, original split: cameras that have seen nothing but normal days.

Each camera is a participant. Its student learns from the kinematics of objects, standardised by
the camera for itself: what is usual at a place of its picture never leaves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from aggregator.simulate.objects import JudgedCamera, ObjectBench, Seen
from aggregator.simulate.problem import Participant, Problem, Video
from edge.errors import DatasetError
from edge.evaluation.tracks import (
    STRIDE,
    Rows,
    TracksDataset,
    frames_in,
    lay_end_to_end,
)
from edge.features import kinematics
from edge.scoring.footage import NormalFootage, Table
from edge.scoring.learn import LEAST_ROWS
from edge.scoring.standardise import Standardiser

Progress: TypeAlias = Callable[[Sequence[str]], Iterable[str]]


@dataclass(frozen=True, slots=True, eq=False)
class NormalTracks:
    """The scenario; every seed poses the same problem, only the students differ."""

    participants: tuple[Participant, ...]
    bench: ObjectBench
    left_out: tuple[str, ...]

    @classmethod
    def read(cls, root: Path, *, progress: Progress = iter) -> NormalTracks:
        """Read and describe all clips; ``progress`` may wrap the cameras.

        Raises DatasetError for a folder of another form.
        """
        dataset = TracksDataset.read(root)
        participants, tested, left_out = [], [], []
        for camera in progress(sorted({clip[:2] for clip in [*dataset.train, *dataset.test]})):
            normal = [dataset.train[clip] for clip in dataset.clips_of(camera, dataset.train)]
            watched = _Camera.learnt(camera, normal)
            if watched is None:
                left_out.append(f"camera {camera}: its training clips show too little")
                continue
            participants.append(Participant(camera, watched.videos()))
            labelled = [c for c in dataset.clips_of(camera, dataset.test) if c in dataset.labels]
            if labelled:
                tested.append(watched.tested(dataset, labelled))
            else:
                left_out.append(f"camera {camera}: trains, but has no labelled test clip")
        if not tested:
            raise DatasetError(f"{root}: no camera has both training clips and labelled test clips")
        return cls(tuple(participants), ObjectBench(tuple(tested)), tuple(left_out))

    def problem(self, *, seed: int, labelled_share: float) -> Problem:
        """All clips are normal, so there is nothing that labels could add."""
        return Problem("density", len(kinematics.SPEC), self.participants, self.bench)


@dataclass(frozen=True, slots=True, eq=False)
class _Camera:
    """A camera that knows what is usual."""

    name: str
    standardisers: dict[str, Standardiser]  # by group
    normal: Seen
    clip_ends: tuple[int, ...]  # frame after each training clip's last

    @classmethod
    def learnt(cls, name: str, clips: Sequence[Rows]) -> _Camera | None:
        """Standardise by the training clips; None where they show fewer than LEAST_ROWS objects."""
        lengths = [frames_in(rows) for rows in clips]
        footage = lay_end_to_end(zip(clips, lengths, strict=True))
        tables = footage.tables()
        if not tables or len(tables[0].frame) < LEAST_ROWS:
            return None
        usual = {t.spec.group: Standardiser.fit(t.spec, t.values, t.place) for t in tables}
        return cls(name, usual, _seen(footage, usual), tuple(np.cumsum(lengths).tolist()))

    def videos(self) -> tuple[Video, ...]:
        """The objects' rows, clip by clip; a clip that shows nobody teaches nothing."""
        table = self.normal.objects
        bounds = np.searchsorted(table.frame, self.clip_ends)
        parts = np.split(table.values, bounds[:-1])
        return tuple(
            Video(f"{self.name}-{index}", part, abnormal=False)
            for index, part in enumerate(parts)
            if len(part)
        )

    def tested(self, dataset: TracksDataset, clips: Sequence[str]) -> JudgedCamera:
        """Its labelled test clips, seen with its own eyes."""
        labels = tuple(dataset.labels[clip] for clip in clips)
        lengths = [-(-len(each) // STRIDE) for each in labels]
        footage = lay_end_to_end((dataset.test[c], n) for c, n in zip(clips, lengths, strict=True))
        return JudgedCamera(
            participant=self.name,
            normal=self.normal,
            test=_seen(footage, self.standardisers),
            labels=labels,
            stride=STRIDE,
        )


def _seen(footage: NormalFootage, usual: dict[str, Standardiser]) -> Seen:
    """The footage's tables with standardised values; a group that shows nothing is empty."""
    tables = {table.spec.group: _standardised(table, usual) for table in footage.tables()}
    return Seen(
        objects=tables[kinematics.SPEC.group],
        beside=(tables[kinematics.SPEED_SPEC.group],),
        time_s=footage.time_s,
    )


def _standardised(table: Table, usual: dict[str, Standardiser]) -> Table:
    standardiser = usual[table.spec.group]
    return replace(table, values=standardiser.apply(table.values, table.place))
