"""Videos scored on the code path of a camera host, segment by segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.analysis import Extractor
from edge.errors import ConfigError
from edge.ingest.health import HealthLimits
from edge.perception.detector import Detector
from edge.scoring.scene_reel import SceneReel
from edge.scoring.student import StudentTerm
from export.extract.watch import Seen, Viewing, Watch

WITHHELD = HealthLimits().good_frames - 1
"""Frames before the one that proves a camera good: a host scores what comes after them."""


@dataclass(frozen=True, slots=True)
class SegmentScore:
    """What a student says when a segment is over."""

    clip: str  # the file's name
    time_s: float  # of the segment's last frame, in the clip
    score: float


class Onlooker:
    """One student before one video: `edge.analysis.Judge` without what a camera learns."""

    def __init__(self, student: StudentTerm) -> None:
        """Raises ConfigError for a student whose scores depend on what a camera has learnt."""
        if not student.spec.brings_its_measure:
            raise ConfigError(
                f"student {student.version}: a {student.spec.head} student reads features as each "
                "camera standardises them, so footage alone has no score: try `vad-edge fit`"
            )
        self._student = student
        self._extractor = Extractor()
        self._extractor.provide(student)
        self._reel = SceneReel(student.spec.window, student.groups)

    def observe(self, seen: Seen) -> float | None:
        """Take in the next frame; the newest score where a segment ends with it."""
        assert seen.percept is not None  # a watch that follows perceives
        measured = self._extractor.measure(seen.percept)
        changed = self._reel.push(measured.all, seen.frame.time_s)
        if not changed or self._reel.newest is None:
            return None
        return self._student.newest(self._reel.values)


def score_clip(
    path: Path, student: StudentTerm, viewing: Viewing, detector: Detector | None
) -> Iterator[SegmentScore]:
    """What a camera that shows this video gets, segment by segment.

    Raises SourceError where it cannot be read.
    """
    onlooker = Onlooker(student)
    for seen in Watch(path, viewing, detector=detector, withheld=WITHHELD):
        score = onlooker.observe(seen)
        if score is not None:
            yield SegmentScore(path.name, seen.frame.time_s, score)
