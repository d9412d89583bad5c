"""One video through all describers at once; what a worker process does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from edge.domain.boxes import Floats
from edge.domain.segment import SCENE_SEGMENT_FRAMES
from edge.errors import SourceError
from edge.evaluation.clips import LABELS
from edge.features.embedding import View
from edge.perception.detector import Detector
from export.extract.describers import Describer, load_describer
from export.extract.videos import Video
from export.extract.watch import Viewing, Watch


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker is told: equal setups describe alike, in any process of any machine."""

    describers: tuple[tuple[str, Path | None], ...]  # name and backbone; None: the descriptors
    view: View = "picture"
    viewing: Viewing = field(default_factory=Viewing)


@dataclass(frozen=True, slots=True)
class Job:
    """One video, and the names of the describers that have not seen it yet."""

    video: Video
    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one video."""

    video: Video
    rows: Mapping[str, Floats] = field(default_factory=dict)  # (m, d) by describer
    segment_frames: int | None = None  # of the video in each segment; None: not a fixed number
    left_out: str | None = None  # why; None: all is well


class Workshop:
    """The loaded networks of a setup."""

    def __init__(self, setup: Setup) -> None:
        """Raises ModelError where one of them cannot be used."""
        self.describers: Mapping[str, Describer] = {
            name: load_describer(folder, setup.view) for name, folder in setup.describers
        }
        self.detector: Detector | None = setup.viewing.load_detector()


workshop = lru_cache(maxsize=1)(Workshop)
"""The workshop of a setup, loaded once in each process."""


def extract_clip(setup: Setup, job: Job) -> Outcome:
    """Describe one video; one that cannot be read or does not fit is left out, never an error.

    Raises ModelError where a network cannot be used.
    """
    shop, video = workshop(setup), job.video
    describers = {name: shop.describers[name] for name in job.wanted}
    watch = Watch(
        video.path,
        setup.viewing,
        detector=shop.detector,
        follow=any(describer.follows for describer in describers.values()),
    )
    try:
        rows, ends = _described(watch, describers)
    except SourceError as error:
        return Outcome(video, left_out=str(error))
    if (reason := _unfit(video, watch.pictures, len(ends))) is not None:
        return Outcome(video, left_out=reason)
    return Outcome(video, rows, segment_frames(ends))


def segment_frames(ends: Sequence[int]) -> int | None:
    """Pictures of a video from one segment to the next; None where that varies.

    ``ends`` are the numbers of the pictures with which segments end: at the k-th, 16 k + 15 frames
    have been analysed after the first, all equally far apart.
    """
    step = ends[0] // (SCENE_SEGMENT_FRAMES - 1)
    places = SCENE_SEGMENT_FRAMES * (np.arange(len(ends)) + 1) - 1
    return SCENE_SEGMENT_FRAMES * step if list(ends) == (places * step).tolist() else None


def _described(
    watch: Watch, describers: Mapping[str, Describer]
) -> tuple[dict[str, Floats], list[int]]:
    """Rows (m, d) by describer, and the m pictures with which segments end: the same for all."""
    measures = {name: describer.begin() for name, describer in describers.items()}
    rows: dict[str, list[Floats]] = {name: [] for name in measures}
    ends: dict[int, None] = {}  # a set in order
    for seen in watch:
        for name, measure in measures.items():
            if (row := measure(seen)) is not None:
                rows[name].append(row)
                ends[seen.number] = None
    return {name: np.array(found, np.float32) for name, found in rows.items()}, list(ends)


def _unfit(video: Video, pictures: int, segments: int) -> str | None:
    if video.frames is not None and pictures != video.frames:
        return (
            f"{video.path}: {pictures} intact frames, but {video.frames} labels in {LABELS}: label "
            "every frame, or take the clip or its labels away"
        )
    if not segments:
        return (
            f"{video.path}: too short: its {pictures} frames hold no segment of "
            f"{SCENE_SEGMENT_FRAMES} analysed ones; take it away, or analyse more frames a second"
        )
    return None
