"""Teachers: each knows the footage of one participant and what is to be learnt from it.

``NormalTeacher`` holds everything for normal; ``PseudoLabels`` finds out by itself what is not
(CLAP, Al-lahham et al., CVPR 2024): videos, then segments by everybody's statistics, then
refinement by the student's own scores after each training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Floats
from edge.domain.weights import Weights
from edge.model.spec import StudentSpec
from edge.training.fit import predict
from edge.training.labelling import Labeller, LabelOptions, LabelReport
from edge.training.lessons import ClapLesson, DensityLesson, Lesson
from edge.training.pseudo_labels import Gaussian


class Teacher(Protocol):
    """Turns a participant's footage into lessons."""

    def statistics(self) -> Gaussian | None:
        """What the federation needs to know before training; None: there is nothing to say."""

    def hear(self, mixture: Sequence[Gaussian]) -> None:
        """Take in everybody's statistics."""

    def lesson(self) -> Lesson:
        """What is to be learnt now."""

    def review(self, spec: StudentSpec, weights: Weights) -> None:
        """Look at the footage again with the student that was just trained."""


class NormalTeacher:
    """Everything is normal."""

    def __init__(self, rows: Floats) -> None:
        """``rows`` (N, d) are standardised."""
        self._lesson = DensityLesson(rows)

    def statistics(self) -> Gaussian | None:
        """There are none."""
        return None

    def hear(self, mixture: Sequence[Gaussian]) -> None:
        """Nothing is compared."""

    def lesson(self) -> Lesson:
        """All rows."""
        return self._lesson

    def review(self, spec: StudentSpec, weights: Weights) -> None:
        """Normal stays normal."""


class PseudoLabels:
    """Labels of videos, then of segments, refined after every training."""

    def __init__(
        self,
        videos: Sequence[Floats],
        options: LabelOptions,
        *,
        known: npt.NDArray[np.int8] | None = None,
        seed: int = 0,
    ) -> None:
        """Each video is (m_i, d); ``known`` (N,) is what people said: -1 nothing, 0 or 1."""
        self._videos = videos
        self._labeller = Labeller(videos, options)
        labelled = self._labeller.videos(known, seed=seed)
        self._anomalous = labelled.anomalous
        self._labels = [np.zeros(len(video), np.bool_) for video in videos]
        self.report: LabelReport = labelled.report

    def statistics(self) -> Gaussian | None:
        """Of the norms of the videos held for normal."""
        return self._labeller.statistics(self._anomalous)

    def hear(self, mixture: Sequence[Gaussian]) -> None:
        """Label the segments; where nobody knows normal segments, none is labelled."""
        if mixture:
            self._labels = self._labeller.segments(self._anomalous, mixture)

    def lesson(self) -> Lesson:
        """All segments under their present labels."""
        return ClapLesson(self._videos, [flags.astype(np.float32) for flags in self._labels])

    def review(self, spec: StudentSpec, weights: Weights) -> None:
        """Refine the labels by what the student thinks of the segments."""
        scores = [predict(spec, weights, video[None])[0] for video in self._videos]
        self._labels = self._labeller.refine(self._anomalous, self._labels, scores)
