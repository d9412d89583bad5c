"""The protocol on footage: one camera learns from normal clips, then its test clips are scored.

The clips follow each other as if the camera ran on, with a pause between that is longer than any
track or smoothing reaches. Frames that are not analysed inherit the latest score: it is causal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.analysis import Judge, LearningPlan, Pupil
from edge.domain.frame import Frame
from edge.errors import DatasetError
from edge.evaluation.baselines import FastestObject, LargestDifference
from edge.evaluation.figures import ClipScores
from edge.evaluation.report import Report, ScoredClip, make_report
from edge.ingest.sample import Sampler
from edge.perception.perception import Percept, Perception

PAUSE_S = 60.0

Labels: TypeAlias = npt.NDArray[np.bool_]
Progress: TypeAlias = Callable[[Sequence["Footage"]], Iterable["Footage"]]


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """A clip that can be opened; a training clip needs no labels."""

    name: str
    open: Callable[[], Iterator[Frame]]  # all its frames; raises DatasetError where labels differ
    labels: Labels | None = None  # (T,)


def evaluate_video(
    dataset: str,
    train: Sequence[Footage],
    test: Sequence[Footage],
    *,
    perception: Perception,
    plan: LearningPlan,
    analysis_hz: float | None,
    left_out: Sequence[str] = (),
    progress: Progress = iter,
) -> tuple[Report, list[ScoredClip]]:
    """Learn, score, compare; a clip that does not fit its labels is left out and named.

    ``analysis_hz``: frames looked at per second, None: all.

    Raises DatasetError when no test clip is left, NotLearntError when training shows too little.
    """
    camera = _Camera(perception, analysis_hz)
    pupil = Pupil(dataset, plan)
    for footage in progress(train):
        for percept, _ in camera.watch(footage):
            pupil.watch(percept)
    judge = Judge(pupil.graduate(), labels=perception.labels)
    scored, left = [], list(left_out)
    for footage in progress(test):
        try:
            scored.append(_score(footage, camera, judge))
        except DatasetError as error:
            left.append(str(error))
    if not scored:
        raise DatasetError(f"{dataset}: no test clip fits its labels: {'; '.join(left)}")
    return make_report(dataset, scored, left_out=left, hz=camera.rate_hz), scored


class _Camera:
    """Runs clip after clip on one clock; knows the rate of the footage when it has seen some."""

    def __init__(self, perception: Perception, analysis_hz: float | None) -> None:
        self._perception = perception
        self._analysis_hz = analysis_hz
        self._start_s = 0.0
        self.rate_hz = 1.0

    def watch(self, footage: Footage) -> Iterator[tuple[Percept, int]]:
        """What is seen in each analysed frame, and that frame's number in the clip."""
        sampler = Sampler(self._analysis_hz)
        first_s: float | None = None
        at_s, analysed = self._start_s, 0
        try:
            for number, frame in enumerate(footage.open()):
                first_s = frame.time_s if first_s is None else first_s
                at_s = self._start_s + frame.time_s - first_s
                if sampler.is_due(at_s):
                    shown = replace(frame, camera="eval", index=analysed, time_s=at_s)
                    analysed += 1
                    yield self._perception.observe([shown])[0], number
                if number:
                    self.rate_hz = number / max(at_s - self._start_s, 1e-9)
        finally:  # the clock goes on after a clip that is left out, too
            self._start_s = at_s + PAUSE_S


def _score(footage: Footage, camera: _Camera, judge: Judge) -> ScoredClip:
    assert footage.labels is not None
    names = ("largest_frame_difference", "fastest_object")
    series = {name: np.zeros(len(footage.labels)) for name in ("score", *names)}
    difference, fastest = LargestDifference(), FastestObject()
    analysed, elapsed_s, begin_s = 0, 0.0, time.perf_counter()
    for percept, number in camera.watch(footage):
        score = judge.score(percept).score
        elapsed_s += time.perf_counter() - begin_s
        analysed += 1
        frame = percept.frame
        values = (score, difference.observe(frame), fastest.observe(percept.tracks, frame.time_s))
        for values_so_far, value in zip(series.values(), values, strict=True):
            values_so_far[number:] = value
        begin_s = time.perf_counter()
    return ScoredClip(
        name=footage.name,
        camera=judge.model.camera,
        clip=ClipScores(footage.labels, series["score"]),
        baselines={name: ClipScores(footage.labels, series[name]) for name in names},
        threshold=judge.model.threshold,
        analysed=analysed,
        elapsed_s=elapsed_s,
    )
