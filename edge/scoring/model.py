"""What a camera has learnt: one term per feature group, and what its scores mean."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import FeatureSpec
from edge.scoring.calibration import BudgetThreshold, TailCalibration
from edge.scoring.standardise import Standardiser
from edge.scoring.student import StudentTerm
from edge.scoring.words import WordNormality, Words

Array: TypeAlias = npt.NDArray[np.float32]


class Distance(Protocol):
    """What tells how far rows are from normal: a ``Normality``, words or a student."""

    def distance(self, points: Array) -> Array:
        """Larger is stranger: (N, d) → (N,)."""
        ...

    def update(self, points: Array) -> None:
        """Take in normal rows seen later, where it can."""
        ...

    def state(self) -> dict[str, Array]:
        """What is kept of it with the camera."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """What is normal for one feature group, calibrated to decades of surprise.

    A student's term may be of a group that has a term of its own.
    """

    spec: FeatureSpec
    standardiser: Standardiser | None  # None: rows are compared as they are
    normality: Distance
    calibration: TailCalibration  # of a region's distance
    level: TailCalibration  # of the largest smoothed surprise in a frame: a crowd has more of them

    def points(self, values: Array, place: Array) -> Array:
        """N rows as its normality compares them: (N, d) in physical units, at places (N, 2)."""
        if self.standardiser is None:
            return values
        if isinstance(self.normality, StudentTerm):
            return self.normality.points(self.standardiser, values, place)
        return self.standardiser.apply(values, place)


@dataclass(frozen=True, slots=True)
class ScoringOptions:
    """How regions and terms become one score; part of what was learnt.

    Terms count alike, each calibrated by itself; ``motion`` says whether those that every camera
    has are among them, or only words and the student judge.
    """

    normality: str = "neighbours"  # or "kmeans"
    size: int = 2000  # prototypes or centres of a term, at most
    memory_s: float = 1.0  # time constant of the evidence along the way of an object
    prior_s: float = 0.25  # of nothing unusual that every object starts with
    seed: int = 0
    motion: bool = True


DEFAULT_OPTIONS = ScoringOptions()


@dataclass(frozen=True, slots=True, eq=False)
class CameraModel:
    """All that a camera has learnt."""

    camera: str
    terms: tuple[Term, ...]
    evidence: TailCalibration  # of a frame's fused surprise
    budget: BudgetThreshold
    options: ScoringOptions
    learnt_from_s: float  # seconds of normal footage
    created_s: float  # seconds since the epoch
    words: Words | None = None  # with which it learnt, also where it saw too little for a term

    @property
    def threshold(self) -> float:
        """The frame score that meets the false-alarm budget, decades of surprise."""
        return self.budget.threshold

    @property
    def student(self) -> StudentTerm | None:
        """The student among its terms."""
        found = (term.normality for term in self.terms)
        return next((each for each in found if isinstance(each, StudentTerm)), None)

    @property
    def version(self) -> str:
        """Names this model in alerts: when it was learnt, in UTC, its student, its words."""
        learnt = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.created_s))
        return "-".join([learnt, *(each.version for each in (self.student, self.words) if each)])

    @property
    def spec_versions(self) -> tuple[str, ...]:
        """The feature groups it was learnt with."""
        return tuple(term.spec.spec_version for term in self.terms)

    def names(self) -> tuple[str, ...]:
        """What to call each term before a person."""
        return tuple(_name(term) for term in self.terms)


def _name(term: Term) -> str:
    if isinstance(term.normality, StudentTerm):
        return "student"
    return "words" if isinstance(term.normality, WordNormality) else term.spec.group
