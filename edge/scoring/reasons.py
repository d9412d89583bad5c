"""Why a region is unusual: the feature that departed furthest from what is usual there."""

from __future__ import annotations

import numpy as np

from edge.domain.score import Reason
from edge.scoring.levels import Array, Judged
from edge.scoring.student import StudentTerm
from edge.scoring.words import WordNormality

LONGEST_PROMPT = 100  # characters of one that are told


def reason(part: Judged, row: int) -> Reason:
    """The reason of one row; where only excess is strange, nothing below usual is named."""
    if isinstance(part.term.normality, StudentTerm) and part.term.normality.eyes:
        return _students_word(part, row)
    if isinstance(part.term.normality, WordNormality):
        return _likeness(part.term.normality, part.points[row])
    features = part.features.spec.features
    place = part.place[row : row + 1]
    standardiser = part.term.standardiser
    assert standardiser is not None  # all but words are compared with what is usual
    standardised = standardiser.apply(part.features.values[row : row + 1], place)
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


def _likeness(normality: WordNormality, action: Array) -> Reason:
    """No single number of an action feature means anything either, but there are words for it."""
    prompt, cosine, usual, above = normality.likeness(action)
    return Reason(f"looks like: {prompt[:LONGEST_PROMPT]}", cosine, usual, "", above=above)
