"""ShanghaiTech Campus as tracks, weakly supervised split: footage that contains anomalies.

``ws_train.txt`` and ``ws_test.txt`` deal the clips of both original splits anew. A clip named
``CC_NNN`` is normal throughout. One named ``CC_NNNN`` was a test clip: its frame labels say what it
is; without them it is abnormal as a whole for training (all such clips in the list are) and not
to be tested. Segments are 16 analysed frames; at a test they slide, as live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from aggregator.public.videos import PublicSet
from aggregator.simulate.described import DescribedClip
from aggregator.simulate.problem import Array, Counts, Problem, Video, labels_of_some
from aggregator.simulate.public_clips import public_set
from aggregator.simulate.scene_statistics import NO_CLASSES, STATISTICS, scene_caption, scene_counts
from aggregator.simulate.segments import LabelledClip, SegmentBench, deal_clips
from aggregator.simulate.splits import Owners, by_camera, dealt
from edge.errors import DatasetError
from edge.evaluation.figures import Labels
from edge.evaluation.tracks import STRIDE, Rows, TracksDataset, frames_in, segments_of
from edge.features import kinematics
from edge.features.scene_segment import OBJECTS_SPEC
from edge.scoring.standardise import Standardiser

Progress: TypeAlias = Callable[[Sequence[str]], Iterable[str]]
TRAIN_LIST, TEST_LIST = "ws_train.txt", "ws_test.txt"
NORMAL_DIGITS = 3  # in the clip's own number; a clip that was a test clip has four


@dataclass(frozen=True, slots=True, eq=False)
class WeakTracks:
    """The scenario: by default every camera is a participant."""

    videos: Mapping[str, Video]  # training clips with all labels that are known
    tests: Mapping[str, LabelledClip]
    owners: Owners | int | None  # clips of each participant, a random deal, or None: by camera
    left_out: tuple[str, ...]
    public_name: str | None = None  # of the participant whose clips the aggregator has

    @classmethod
    def read(
        cls,
        root: Path,
        *,
        owners: Owners | int | None = None,
        public: str | None = None,
        progress: Progress = iter,
    ) -> WeakTracks:
        """Read and describe all clips; ``progress`` may wrap the cameras.

        The aggregator has the training clips of ``public``, who then takes no part.

        Raises DatasetError for a folder of another form.
        """
        dataset = TracksDataset.read(root)
        clips = {**dataset.train, **dataset.test}
        lists = [_listed(root / name, clips) for name in (TRAIN_LIST, TEST_LIST)]
        labelled = [c for c in lists[1] if _is_normal(c) or c in dataset.labels]
        videos: dict[str, Video] = {}
        tests: dict[str, LabelledClip] = {}
        for camera in progress(sorted({clip[:2] for clip in lists[0]})):
            own, tested = ([c for c in each if c[:2] == camera] for each in (lists[0], labelled))
            described = {c: _describe(clips[c], dataset.labels.get(c)) for c in [*own, *tested]}
            standardise = _standardiser([described[c].apart() for c in own])
            for clip in own:
                abnormal = _is_abnormal(clip, dataset.labels.get(clip))
                values = standardise(described[clip].apart())
                videos[clip] = Video(clip, values, abnormal, _counts(described[clip]))
            for clip in tested:
                tests[clip] = described[clip].test(clip, standardise)
        untold = sorted(set(lists[1]) - set(tests))
        left_out = (*(f"{c}: no frame labels" for c in untold), NO_CLASSES)
        return cls(videos, tests, owners, left_out, public)

    def problem(self, *, seed: int, labelled_share: float) -> Problem:
        """Deal the clips, by ``seed`` where the deal is random."""
        owners = self.owners
        if owners is None:
            owners = by_camera([*self.videos, *self.tests])
        elif isinstance(owners, int):
            owners = dealt([*self.videos], owners, seed)
        owners = {name: clips for name, clips in owners.items() if name != self.public_name}
        learning, panels, at_home = deal_clips(self.videos, self.tests, owners)
        return Problem(
            head="clap",
            width=len(OBJECTS_SPEC),
            participants=labels_of_some(learning, labelled_share, seed),
            bench=SegmentBench(panels, at_home=at_home),
            classes=STATISTICS,
        )

    def public(self) -> PublicSet | None:
        """Clips of a participant that takes no part, with all their labels."""
        owners = self.owners if isinstance(self.owners, Mapping) else {}
        clips = owners.get(self.public_name or "", ())
        videos = [self.videos[clip] for clip in clips if clip in self.videos]
        captions = [scene_caption(v.objects) for v in videos if v.objects is not None]
        return public_set(STATISTICS, videos, captions) if videos else None


def _describe(rows: Rows, labels: Labels | None) -> DescribedClip:
    frames = frames_in(rows) if labels is None else -(-len(labels) // STRIDE)
    described = (kinematics.describe(each)[0] for each, _ in segments_of(rows, 0.0, frames))
    return DescribedClip([*described], labels, STRIDE)


def _counts(described: DescribedClip) -> Counts:
    return scene_counts(np.concatenate([frame.values for frame in described.frames]))


def _standardiser(clips: Sequence[Array]) -> Callable[[Array], Array]:
    """What is usual for a camera, from its training clips, anomalous ones included: robust."""
    values = np.concatenate(clips)
    usual = Standardiser.fit(OBJECTS_SPEC, values, _anywhere(values))
    return lambda rows: usual.apply(rows, _anywhere(rows))


def _anywhere(values: Array) -> Array:
    return np.full((len(values), 2), 0.5, np.float32)  # the scene has no place in the picture


def _is_normal(clip: str) -> bool:
    return len(clip.partition("_")[2]) == NORMAL_DIGITS


def _is_abnormal(clip: str, labels: Labels | None) -> bool:
    return not _is_normal(clip) if labels is None else bool(labels.any())


def _listed(path: Path, clips: Mapping[str, Rows]) -> list[str]:
    try:
        names = path.read_text(encoding="utf-8").split()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    if not names or not set(names) <= clips.keys():
        raise DatasetError(f"{path}: names no clip, or clips without tracks: {names[:1]}")
    return names
