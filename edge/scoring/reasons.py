"""Why a region is unusual: the feature that departed furthest from what is usual there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import Features
from edge.domain.score import Reason
from edge.scoring.model import Term
from edge.scoring.student import StudentTerm

Array: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One group's rows of a frame, seen through its term."""

    order: int  # of the term in the model
    term: Term
    features: Features
    place: Array  # (N, 2) in [0, 1]
    points: Array  # (N, d) as the term's normality compares them
    distance: Array  # (N,)
    level: Array  # (N,) decades of surprise, among the largest of normal frames
    speaks_of: npt.NDArray[np.bool_]  # (N, tracks) whether a row concerns a track


def reason(part: Judged, row: int) -> Reason:
    """The reason of one row; where only excess is strange, nothing below usual is named."""
    if isinstance(part.term.normality, StudentTerm) and part.term.normality.eyes:
        return _students_word(part, row)
    features = part.features.spec.features
    place = part.place[row : row + 1]
    standardised = part.term.standardiser.apply(part.features.values[row : row + 1], place)
    standardiser = part.term.standardiser
    departure = standardiser.departure(standardised)[0]
    if part.features.spec.excess and (standardised >= 0).any():
        departure = np.where(standardised[0] >= 0, departure, -1)
    most = int(departure.argmax())
    low, high = standardiser.bounds(place)
    above = bool(standardised[0, most] >= 0)
    return Reason(
        feature=features[most].name,
        value=float(part.features.values[row, most]),
        usual=float((high if above else low)[0, most]),
        unit=features[most].unit,
        above=above,
    )


def _students_word(part: Judged, row: int) -> Reason:
    """No single number of an embedding means anything: what the student says is the reason."""
    usual = float(part.term.calibration.knots[-1])  # nine of ten normal segments are below
    return Reason("student's log-odds", float(part.distance[row]), usual, "", above=True)
