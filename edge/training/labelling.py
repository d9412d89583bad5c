"""CLAP's pseudo-labels for a participant's videos, from its features to a lesson.

``Labeller`` holds the norms of the videos, ``videos()`` labels them (VPL), ``statistics()`` is what
may leave the host, ``segments()`` labels with the federation's mixture (SPL) and ``refine()`` with
the student's own scores (PLR). What could not be decided is in the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Floats
from edge.training.mixture import two_groups
from edge.training.norms import NormKind, Usual, norms
from edge.training.pseudo_labels import (
    BETA_GENERATE,
    BETA_REFINE,
    FEWEST_SEGMENTS,
    UNKNOWN,
    Flags,
    Gaussian,
    PValue,
    corrected,
    labelled_segments,
    more_anomalous,
    normal_statistics,
    p_values,
    refined,
    video_statistics,
)


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """How CLAP labels; the defaults are this project's reading of the paper."""

    kind: NormKind = "descriptor"
    normalise: bool = True  # the spectrum, before its entropy; the paper does not
    p_value: PValue = "density"
    beta: float = BETA_GENERATE
    beta_refine: float = BETA_REFINE


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What the labels of a participant's videos rest on."""

    videos: int
    too_short: int  # fewer than 3 segments: held for normal
    anomalous: int  # after correction
    known: int  # labelled by people
    undecided: str  # why no video could be told apart; "" where they could


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Video labels of N videos."""

    anomalous: Flags  # (N,)
    report: LabelReport


class Labeller:
    """A participant's N videos, each (m_i, d) features of consecutive segments."""

    def __init__(self, videos: Sequence[Floats], options: LabelOptions) -> None:
        """Raises TrainingError where no video has a segment."""
        usual = Usual.fit(videos, options.kind)
        self._options = options
        self._residuals = [usual.residuals(video) for video in videos]
        self._norms = [norms(residuals) for residuals in self._residuals]

    def videos(self, known: npt.NDArray[np.int8] | None = None, *, seed: int) -> Labelled:
        """VPL, then correction by what people said: ``known`` (N,) is -1 unknown, 0 or 1."""
        count = len(self._norms)
        said = np.full(count, UNKNOWN, np.int8) if known is None else known
        long = np.array([len(z) >= FEWEST_SEGMENTS for z in self._norms], np.bool_)
        statistics = self._statistics(long)
        groups = two_groups(statistics, seed=seed)
        anomalous = np.zeros(count, np.bool_)
        if groups.second is not None:
            anomalous[long] = more_anomalous(statistics, groups.second)
        anomalous = corrected(anomalous, said)
        report = LabelReport(
            videos=count,
            too_short=int((~long).sum()),
            anomalous=int(anomalous.sum()),
            known=int((said != UNKNOWN).sum()),
            undecided=groups.why_not,
        )
        return Labelled(anomalous, report)

    def statistics(self, anomalous: Flags) -> Gaussian | None:
        """Γ, Θ, M₀ of the videos held for normal: three numbers; None where there are none."""
        return normal_statistics(self._norms, anomalous)

    def segments(self, anomalous: Flags, mixture: Sequence[Gaussian]) -> list[Flags]:
        """SPL, generate: a label for every segment; ``mixture`` is the federation's, not empty."""
        kind, beta = self._options.p_value, self._options.beta
        return [
            labelled_segments(p_values(z, mixture, kind=kind), beta=beta)
            if odd
            else np.zeros(len(z), np.bool_)
            for z, odd in zip(self._norms, anomalous, strict=True)
        ]

    def refine(
        self, anomalous: Flags, labels: Sequence[Flags], scores: Sequence[Floats]
    ) -> list[Flags]:
        """PLR: the labels of anomalous videos after the student's scores, each (m_i,)."""
        triples = zip(labels, scores, anomalous, strict=True)
        beta = self._options.beta_refine
        return [refined(old, q, beta=beta) if odd else old for old, q, odd in triples]

    def _statistics(self, long: Flags) -> npt.NDArray[np.float64]:
        """[σ, H] of the videos that are long enough, (n, 2)."""
        normalise = self._options.normalise
        rows = [
            video_statistics(residuals, z, normalise=normalise)
            for residuals, z, enough in zip(self._residuals, self._norms, long, strict=True)
            if enough
        ]
        return np.array(rows).reshape(-1, 2)
