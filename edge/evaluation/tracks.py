"""The ShanghaiTech Campus protocol on object tracks: learn each camera alone, score its tests.

The tracks are published without pixels: ``tracks_{train,test}.npz`` hold, per clip ``CC_NNN`` of
camera CC, int rows (frame, track id, x1, y1, x2, y2) in an 856 x 480 picture at 24 frames per
second. They are analysed at 8 Hz, as a live camera would be; the frames between inherit the
latest score, so the figure is causal. Settings are never chosen on the test clips.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from edge.domain.segment import ObjectSegments
from edge.domain.tracks import Tracks
from edge.errors import DatasetError
from edge.evaluation.clips import read_labels
from edge.evaluation.figures import ClipScores
from edge.evaluation.report import Report, ScoredClip, make_report
from edge.features import kinematics
from edge.features.segmenter import Segmenter
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import learn_camera
from edge.scoring.model import DEFAULT_OPTIONS, CameraModel, ScoringOptions
from edge.scoring.scorer import CameraScorer

WIDTH_PX, HEIGHT_PX = 856, 480
CLIP_HZ = 24.0
STRIDE = 3  # analysed at 8 Hz
SPEED = [feature.name for feature in kinematics.SPEC.features].index("speed")
GAP_S = 60.0
"""Between clips laid end to end: longer than any track or smoothing reaches."""

TRAIN, TEST, LABELS = "tracks_train.npz", "tracks_test.npz", "test_frame_labels.json"
LAYOUT = f"expected {TRAIN}, {TEST} and {LABELS}"

NOBODY = Tracks.none()  # frames are scored, nobody is to be blamed

Rows: TypeAlias = npt.NDArray[np.int32]  # (n, 6) frame, track id, x1, y1, x2, y2
Progress: TypeAlias = Callable[[Iterable[str]], Iterable[str]]


@dataclass(frozen=True, slots=True)
class TracksDataset:
    """The clips of all cameras."""

    train: Mapping[str, Rows]
    test: Mapping[str, Rows]
    labels: Mapping[str, npt.NDArray[np.bool_]]  # (T,) per test clip that has them

    @classmethod
    def read(cls, root: Path) -> TracksDataset:
        """Read the folder; raises DatasetError when it is not as documented."""
        return cls(
            train=_clips(root / TRAIN),
            test=_clips(root / TEST),
            labels=read_labels(root / LABELS, LAYOUT),
        )

    def cameras(self) -> tuple[list[str], list[str]]:
        """Cameras with both training clips and labelled test clips, and those left out."""
        seen = {clip[:2] for clip in [*self.train, *self.test, *self.labels]}
        usable = {c[:2] for c in self.train} & {c[:2] for c in self.test if c in self.labels}
        return sorted(usable), sorted(seen - usable)

    def clips_of(self, camera: str, split: Mapping[str, Rows]) -> list[str]:
        """A camera's clips in order."""
        return sorted(clip for clip in split if clip[:2] == camera)


def evaluate_tracks(
    root: Path,
    *,
    alarms_per_day: float = 2.0,
    options: ScoringOptions = DEFAULT_OPTIONS,
    progress: Progress = iter,
) -> tuple[Report, list[ScoredClip]]:
    """Run the protocol on the folder ``root``; ``progress`` may wrap the list of cameras."""
    dataset = TracksDataset.read(root)
    cameras, left_out = dataset.cameras()
    if not cameras:
        raise DatasetError(f"{root}: no camera has both training clips and labelled test clips")
    scored: list[ScoredClip] = []
    for camera in progress(cameras):
        model = learn_clips(dataset, camera, alarms_per_day=alarms_per_day, options=options)
        clips = [c for c in dataset.clips_of(camera, dataset.test) if c in dataset.labels]
        scored += [_score(c, dataset.test[c], dataset.labels[c], model) for c in clips]
    missing = [f"camera {c}: no labelled test clips, or none to learn from" for c in left_out]
    return make_report("shanghaitech-tracks", scored, left_out=missing, hz=CLIP_HZ), scored


def learn_clips(
    dataset: TracksDataset, camera: str, *, alarms_per_day: float, options: ScoringOptions
) -> CameraModel:
    """Learn one camera from its training clips."""
    clips = [dataset.train[clip] for clip in dataset.clips_of(camera, dataset.train)]
    return learn_camera(
        lay_end_to_end([(rows, frames_in(rows)) for rows in clips]),
        camera=camera,
        alarms_per_day=alarms_per_day,
        created_s=time.time(),
        options=options,
    )


def frames_in(rows: Rows) -> int:
    """Analysed frames of a clip that nobody has labelled: up to its last box."""
    return int(rows[:, 0].max(initial=0)) // STRIDE + 1


def lay_end_to_end(clips: Iterable[tuple[Rows, int]]) -> NormalFootage:
    """What a camera sees in clips of so many analysed frames, one after another with gaps between.

    Nothing is forgotten, so its frames are those of the clips.
    """
    footage = NormalFootage(max_bytes=sys.maxsize)
    start_s = 0.0
    for rows, frames in clips:
        for segments, at_s in segments_of(rows, start_s, frames):
            features = kinematics.describe(segments)
            footage.add(features, time_s=at_s, width=WIDTH_PX, height=HEIGHT_PX)
        start_s += frames * STRIDE / CLIP_HZ + GAP_S
    return footage


def _score(name: str, rows: Rows, labels: npt.NDArray[np.bool_], model: CameraModel) -> ScoredClip:
    scorer = CameraScorer(model, labels=["person"])
    frames = -(-len(labels) // STRIDE)
    scores, speeds = np.zeros(frames), np.zeros(frames)
    begin_s = time.perf_counter()
    for index, (segments, at_s) in enumerate(segments_of(rows, 0.0, frames)):
        features = kinematics.describe(segments)
        scores[index] = scorer.observe(
            features, NOBODY, index=index, time_s=at_s, width=WIDTH_PX, height=HEIGHT_PX
        ).score
        speeds[index] = features[0].values[:, SPEED].max(initial=0.0)
    return ScoredClip(
        name=name,
        camera=model.camera,
        clip=_inherit(labels, scores),
        baselines={"fastest_object": _inherit(labels, speeds)},
        threshold=model.threshold,
        analysed=frames,
        elapsed_s=time.perf_counter() - begin_s,
    )


def _inherit(labels: npt.NDArray[np.bool_], analysed: npt.NDArray[np.float64]) -> ClipScores:
    return ClipScores(labels, np.repeat(analysed, STRIDE)[: len(labels)])


def segments_of(rows: Rows, start_s: float, frames: int) -> Iterator[tuple[ObjectSegments, float]]:
    """The object segments after each analysed frame of a clip, and its time."""
    segmenter = Segmenter()
    # track ids begin anew in every clip: the clip's start keeps them apart
    first_id = int(start_s) * 10_000
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    for index in range(frames):
        begin, end = np.searchsorted(rows[:, 0], [index * STRIDE, index * STRIDE + 1])
        at_s = start_s + index * STRIDE / CLIP_HZ
        tracks = _tracks(rows[begin:end], first_id)
        yield segmenter.push(tracks, time_s=at_s, width=WIDTH_PX, height=HEIGHT_PX), at_s


def _tracks(rows: Rows, first_id: int) -> Tracks:
    return Tracks(
        track_id=rows[:, 1].astype(np.int64) + first_id,
        boxes_xyxy=rows[:, 2:].astype(np.float32),
        confidence=np.ones(len(rows), np.float32),
        class_id=np.zeros(len(rows), np.int32),
    )


def _clips(path: Path) -> dict[str, Rows]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            clips = {clip: archive[clip] for clip in archive.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise DatasetError(f"{path}: cannot be read as tracks ({error}); {LAYOUT}") from error
    for clip, rows in clips.items():
        if rows.ndim != 2 or rows.shape[1] != 6:
            raise DatasetError(f"{path}: clip {clip} has shape {rows.shape}, not (n, 6)")
    return clips
