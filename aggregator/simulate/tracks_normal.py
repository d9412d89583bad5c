"""ShanghaiTech Campus as tracks, original split: cameras that have seen nothing but normal days.

Each camera is a participant, unless somebody else is said to own its clips. Its student learns from
the kinematics of objects, standardised by the camera for itself: what is usual at a place of its
picture never leaves it. Objects have no classes here: scene statistics stand for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from aggregator.public.videos import PublicSet
from aggregator.simulate.objects import JudgedCamera, ObjectBench, Seen
from aggregator.simulate.problem import Participant, Problem, Video
from aggregator.simulate.public_clips import public_set
from aggregator.simulate.scene_statistics import NO_CLASSES, STATISTICS, scene_caption, scene_counts
from aggregator.simulate.splits import Owners, by_camera
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

Progress: TypeAlias = Callable[[Sequence[tuple[str, str]]], Iterable[tuple[str, str]]]


@dataclass(frozen=True, slots=True, eq=False)
class NormalTracks:
    """The scenario; every seed poses the same problem, only the students differ."""

    participants: tuple[Participant, ...]
    bench: ObjectBench
    left_out: tuple[str, ...]
    public_set: PublicSet | None = None

    @classmethod
    def read(
        cls,
        root: Path,
        *,
        owners: Owners | None = None,
        public: str | None = None,
        progress: Progress = iter,
    ) -> NormalTracks:
        """Read and describe all clips; ``progress`` may wrap the cameras.

        A participant of ``owners`` may have several cameras, by default it has one. Whatever their
        owner's list says, clips of the training split teach and those of the test split judge. The
        aggregator has the clips of ``public``, be they normal or not, who then takes no part.

        Raises DatasetError for a folder of another form.
        """
        dataset = TracksDataset.read(root)
        clips = [*dataset.train, *dataset.test]
        owned = {clip: name for name, own in (owners or by_camera(clips)).items() for clip in own}
        seats = sorted({(clip[:2], owned[clip]) for clip in clips if clip in owned})
        read = _Read(dataset, owned, public)
        for camera, owner in progress(seats):
            read.add(camera, owner)
        return read.scenario(root)

    def problem(self, *, seed: int, labelled_share: float) -> Problem:
        """All clips are normal, so there is nothing that labels could add."""
        width = len(kinematics.SPEC)
        return Problem("density", width, self.participants, self.bench, STATISTICS)

    def public(self) -> PublicSet | None:
        """Clips of a participant that takes no part."""
        return self.public_set


class _Read:
    """Collects what is read, camera by camera."""

    def __init__(
        self, dataset: TracksDataset, owned: Mapping[str, str], public: str | None
    ) -> None:
        self._dataset, self._owned, self._public = dataset, owned, public
        self._videos: dict[str, list[Video]] = {}  # by owner
        self._public_videos: list[Video] = []
        self._tested: list[JudgedCamera] = []
        self._left_out: list[str] = []

    def add(self, camera: str, owner: str) -> None:
        """What an owner has of a camera."""
        splits = self._dataset.train, self._dataset.test
        normal, tests = (self._own(camera, owner, each) for each in splits)
        watched = _Camera.learnt(owner, normal)
        if watched is None:
            self._left_out.append(f"camera {camera}: its training clips show too little")
        elif owner == self._public:
            self._public_videos += [
                *watched.videos(),
                *(watched.public_video(name, rows) for name, rows in tests.items()),
            ]
        else:
            self._videos.setdefault(owner, []).extend(watched.videos())
            labelled = [clip for clip in tests if clip in self._dataset.labels]
            if labelled:
                self._tested.append(watched.tested(self._dataset, labelled))
            else:
                self._left_out.append(f"camera {camera}: trains, but has no labelled test clip")

    def scenario(self, root: Path) -> NormalTracks:
        """All of it; DatasetError where nobody can be judged."""
        if not self._tested:
            raise DatasetError(f"{root}: no camera has both training clips and labelled test clips")
        videos = self._public_videos
        captions = [scene_caption(v.objects) for v in videos if v.objects is not None]
        return NormalTracks(
            tuple(Participant(name, tuple(own)) for name, own in sorted(self._videos.items())),
            ObjectBench(tuple(self._tested)),
            (*self._left_out, NO_CLASSES),
            public_set(STATISTICS, videos, captions) if videos else None,
        )

    def _own(self, camera: str, owner: str, split: Mapping[str, Rows]) -> dict[str, Rows]:
        clips = self._dataset.clips_of(camera, split)
        return {clip: split[clip] for clip in clips if self._owned.get(clip) == owner}


@dataclass(frozen=True, slots=True, eq=False)
class _Camera:
    """A camera that knows what is usual, by what its owner has of it."""

    owner: str
    standardisers: dict[str, Standardiser]  # by group
    normal: Seen
    measured: Table  # the same objects in physical units
    clip_ends: Mapping[str, int]  # frame after each training clip's last

    @classmethod
    def learnt(cls, owner: str, clips: Mapping[str, Rows]) -> _Camera | None:
        """Standardise by the training clips; None where they show fewer than LEAST_ROWS objects."""
        lengths = [frames_in(rows) for rows in clips.values()]
        footage = lay_end_to_end(zip(clips.values(), lengths, strict=True))
        tables = footage.tables()
        if not tables or len(tables[0].frame) < LEAST_ROWS:
            return None
        usual = {t.spec.group: Standardiser.fit(t.spec, t.values, t.place) for t in tables}
        ends = dict(zip(clips, np.cumsum(lengths).tolist(), strict=True))
        return cls(owner, usual, _seen(footage, usual), tables[0], ends)

    def videos(self) -> tuple[Video, ...]:
        """The objects' rows, clip by clip; a clip that shows nobody teaches nothing."""
        bounds = np.searchsorted(self.measured.frame, [*self.clip_ends.values()])[:-1]
        seen = np.split(self.normal.objects.values, bounds)
        measured = np.split(self.measured.values, bounds)
        return tuple(
            Video(name, rows, abnormal=False, objects=scene_counts(raw))
            for name, rows, raw in zip(self.clip_ends, seen, measured, strict=True)
            if len(rows)
        )

    def public_video(self, name: str, rows: Rows) -> Video:
        """A clip of the test split, as the aggregator may have it: abnormal, as all of them are."""
        footage = lay_end_to_end([(rows, frames_in(rows))])
        (measured,) = (t for t in footage.tables() if t.spec == kinematics.SPEC)
        values = _standardised(measured, self.standardisers).values
        return Video(name, values, abnormal=True, objects=scene_counts(measured.values))

    def tested(self, dataset: TracksDataset, clips: Sequence[str]) -> JudgedCamera:
        """Its labelled test clips, seen with its own eyes."""
        labels = tuple(dataset.labels[clip] for clip in clips)
        lengths = [-(-len(each) // STRIDE) for each in labels]
        footage = lay_end_to_end((dataset.test[c], n) for c, n in zip(clips, lengths, strict=True))
        return JudgedCamera(
            participant=self.owner,
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
