"""Two exports of a student before the same labelled clips: what a cheaper one loses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from edge.errors import DatasetError, SourceError
from edge.evaluation.clips import LABELS, Clip
from edge.evaluation.figures import ClipScores, micro_auc
from edge.perception.detector import Detector
from edge.scoring.student import StudentTerm
from export.extract.watch import Viewing, Watch
from export.proof.footage import Onlooker
from export.proof.parity import rank_correlation

Progress: TypeAlias = Callable[[Sequence[Clip]], Iterable[Clip]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figures of both; those with ``against`` are the other's."""

    segments: int
    rank_correlation: float  # Spearman's, over the segments of all clips
    auc: float | None  # micro, causal; None where the labels are all of one class
    auc_against: float | None
    left_out: tuple[str, ...]  # clips, and why

    @property
    def auc_loss_points(self) -> float | None:
        """What is lost by taking this one instead of the other."""
        if self.auc is None or self.auc_against is None:
            return None
        return 100 * (self.auc_against - self.auc)


@dataclass(slots=True)
class _Seen:
    """What one student has said so far."""

    student: StudentTerm
    segments: list[float] = field(default_factory=list)
    clips: list[ClipScores] = field(default_factory=list)


def compare(
    one: StudentTerm,
    other: StudentTerm,
    clips: Sequence[Clip],
    *,
    viewing: Viewing,
    detector: Detector | None,
    progress: Progress = iter,
) -> Comparison:
    """Watch each clip once, with both; a frame has the newest score, and 0 before the first.

    Raises DatasetError where no clip fits its labels.
    """
    sides = (_Seen(one), _Seen(other))
    left_out = []
    for clip in progress(clips):
        try:
            _watch(clip, sides, viewing, detector)
        except (DatasetError, SourceError) as error:
            left_out.append(str(error))
    if not sides[0].segments:
        raise DatasetError(f"no clip gave a segment to compare: {'; '.join(left_out)}")
    first, second = (np.array(side.segments, np.float32) for side in sides)
    return Comparison(
        segments=len(first),
        rank_correlation=rank_correlation(first, second),
        auc=_auc(sides[0].clips),
        auc_against=_auc(sides[1].clips),
        left_out=tuple(left_out),
    )


def _watch(clip: Clip, sides: Sequence[_Seen], viewing: Viewing, detector: Detector | None) -> None:
    """Adds the clip to both sides, or raises and adds nothing."""
    assert clip.labels is not None
    watch = Watch(clip.path, viewing, detector=detector)
    onlookers = [Onlooker(side.student) for side in sides]
    frames = np.zeros((len(sides), len(clip.labels)))
    said: list[list[float]] = [[] for _ in sides]
    for seen in watch:
        for onlooker, scores, segments in zip(onlookers, frames, said, strict=True):
            score = onlooker.observe(seen)
            if score is not None:
                scores[seen.number :] = score
                segments.append(score)
    if watch.pictures != len(clip.labels):
        raise DatasetError(
            f"{clip.path}: {watch.pictures} frames, but {len(clip.labels)} labels in {LABELS}: "
            "label every frame, or take the clip or its labels away"
        )
    for side, scores, segments in zip(sides, frames, said, strict=True):
        side.segments += segments
        side.clips.append(ClipScores(clip.labels, scores))


def _auc(clips: Sequence[ClipScores]) -> float | None:
    found = micro_auc(clips)
    return None if math.isnan(found) else found
