"""Which clips are learnt from and which judge, and what the teacher says of either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from edge.commands.report import progress_bar, say
from edge.errors import DatasetError, SourceError
from edge.features.embedding import View
from edge.model.backbone import Backbone
from edge.model.folder import sha256
from edge.perception.detector import Detector
from export.extract.videos import Video
from export.extract.watch import Viewing
from export.imitate.gather import Shown, gather
from export.imitate.lessons import Lesson, Lessons, taught

HELD_OUT = 0.15  # of the clips, at least one: what the reported figures are of
LEAST_PICTURES = 16


def study(
    teacher: Backbone,
    clips: Sequence[Video],
    work: Path,
    *,
    view: View,
    viewing: Viewing,
    pictures: int,
    seed: int,
) -> tuple[Lesson, Lesson]:
    """What is learnt from, and what is held out: whole clips, evenly spread.

    ``pictures`` is how many are made of all clips at most. What the teacher has said before is
    taken from ``work``; a clip that cannot be read is left out and named. Raises DatasetError
    where that leaves too little, or where ``work`` is of another study.
    """
    if len(clips) < 2:
        raise DatasetError("imitation is judged on footage that taught nothing: give two videos")
    judging = held_out(clips)
    most = max(pictures // len(clips), 1)
    detector = viewing.load_detector()
    kept = Lessons(
        work,
        {
            "teacher": teacher.version,
            "footage": [str(video.path) for video in clips],
            "view": view,
            "seen": {name: str(value) for name, value in asdict(viewing).items()},
            "detector": sha256(viewing.detector.read_bytes()) if viewing.detector else "motion",
            "pictures": most,
            "seed": seed,
        },
    )
    learnt: list[Lesson] = []
    judged: list[Lesson] = []
    with progress_bar("asking the teacher", len(clips), "video") as bar:
        for number, video in enumerate(clips):
            held = video in judging
            shown = Shown(view, viewing, most, not held, seed + number)
            (judged if held else learnt).append(_lesson(kept, video, shown, teacher, detector))
            bar.update()
    return _enough(Lesson.joined(learnt), Lesson.joined(judged))


def held_out(clips: Sequence[Video]) -> frozenset[Video]:
    """Some of at least two clips, never the first one, evenly spread."""
    count = max(1, round(HELD_OUT * len(clips)))
    places = np.linspace(0, len(clips), count + 2)[1:-1]
    return frozenset(clips[place] for place in places.astype(int).tolist())


def _lesson(
    kept: Lessons, video: Video, shown: Shown, teacher: Backbone, detector: Detector | None
) -> Lesson:
    if (found := kept.find(video.name)) is not None:
        return found
    try:
        pictures = gather(video.path, shown, detector=detector)
    except SourceError as error:
        say(f"left out {error}")  # and not kept: it may be mended, and the lesson asked for again
        return taught([], teacher)
    lesson = taught(pictures, teacher)
    kept.keep(video.name, lesson)
    return lesson


def _enough(learnt: Lesson, judged: Lesson) -> tuple[Lesson, Lesson]:
    if min(len(learnt), len(judged)) < LEAST_PICTURES:
        raise DatasetError(
            f"{len(learnt)} pictures to learn from and {len(judged)} to judge by, of "
            f"{LEAST_PICTURES} each at least: add footage, or footage in which more happens"
        )
    return learnt, judged
