"""The scorer of one camera: features of a frame in, its score and the reasons out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import SCENE, Features
from edge.domain.score import FrameScore, Reason, RegionScore
from edge.errors import FeatureVersionError
from edge.scoring.footage import region_keys
from edge.scoring.fusion import fuse
from edge.scoring.model import CameraModel, Term
from edge.scoring.smoothing import FrameSmoother, TrackSmoother
from edge.scoring.standardise import place_of

Array: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """One group's rows of this frame, seen through its term."""

    term: Term
    features: Features
    region: npt.NDArray[np.int64]  # (N,)
    place: Array  # (N, 2)
    standardised: Array  # (N, d)
    surprise: Array  # (N,)


class CameraScorer:
    """Scores one camera's frames in order; the scores are causal.

    With ``adapt`` it keeps learning from what is clearly normal: regions of frames below the
    threshold. An anomaly that is scored as one never teaches.
    """

    def __init__(self, model: CameraModel, *, labels: Sequence[str], adapt: bool = False) -> None:
        """``labels``: the detector's class names; an empty list calls everything "object"."""
        self._model = model
        self._terms = {term.spec.spec_version: term for term in model.terms}
        self._groups = {term.spec.group for term in model.terms}
        self._labels = labels
        self._adapt = adapt
        options = model.options
        self._along = TrackSmoother(memory_s=options.memory_s, prior_s=options.prior_s)
        self._over = FrameSmoother(fade_s=options.fade_s)

    @property
    def model(self) -> CameraModel:
        """What it scores with, including what ``adapt`` has added."""
        return self._model

    def observe(
        self, features: Sequence[Features], *, index: int, time_s: float, width: int, height: int
    ) -> FrameScore:
        """Score one frame from all groups measured of it, in any order.

        Raises FeatureVersionError for a group that was learnt in another version.
        """
        measured = [
            self._measure(group, width, height)
            for group in features
            if len(group) and self._knows(group)
        ]
        regions = self._regions(measured, time_s) if measured else ()
        largest = regions[0].score if regions else 0.0
        score = self._over.step(largest, time_s)
        if self._adapt and score < self._model.threshold:
            for part in measured:
                part.term.normality.update(part.standardised)
        return FrameScore(self._model.camera, index, time_s, width, height, score, regions)

    def _knows(self, group: Features) -> bool:
        """A group that the learning footage hardly showed is silent; a changed one is an error."""
        if group.spec.spec_version in self._terms:
            return True
        if group.spec.group in self._groups:
            learnt = ", ".join(self._model.spec_versions)
            raise FeatureVersionError(
                f"camera {self._model.camera} learnt {learnt}, but these features are "
                f"{group.spec.spec_version}: learn the camera anew"
            )
        return False

    def _measure(self, group: Features, width: int, height: int) -> _Measured:
        term = self._terms[group.spec.spec_version]
        place = place_of(group.boxes_xyxy, width, height)
        standardised = term.standardiser.apply(group.values, place)
        surprise = term.calibration.surprise(term.normality.distance(standardised))
        return _Measured(term, group, region_keys(group), place, standardised, surprise)

    def _regions(self, measured: list[_Measured], time_s: float) -> tuple[RegionScore, ...]:
        """All regions, most unusual first."""
        keys = np.unique(np.concatenate([part.region for part in measured]))
        joined = np.full((len(measured), len(keys)), np.nan, np.float32)
        rows = [np.searchsorted(keys, part.region) for part in measured]
        for term, part in enumerate(measured):
            joined[term, rows[term]] = part.surprise
        fused = fuse(joined, self._model.options.rule)
        scores = self._model.evidence.surprise(self._along.step(keys, fused, time_s))
        loudest = np.where(np.isfinite(joined), joined, -1).argmax(axis=0)  # (regions,)
        reasons = [_reasons(part) for part in measured]
        regions = []
        for column in np.argsort(-scores).tolist():
            term = int(loudest[column])
            row = int((rows[term] == column).argmax())
            reason = reasons[term][row]
            regions.append(self._region(measured[term], row, float(scores[column]), reason))
        return tuple(regions)

    def _region(self, part: _Measured, row: int, score: float, reason: Reason) -> RegionScore:
        x1, y1, x2, y2 = part.features.boxes_xyxy[row].tolist()
        track_id = int(part.features.track_id[row])
        return RegionScore(
            track_id=None if track_id == SCENE else track_id,
            label=self._label(track_id, int(part.features.class_id[row])),
            box_xyxy=(x1, y1, x2, y2),
            score=score,
            reason=reason,
        )

    def _label(self, track_id: int, class_id: int) -> str:
        if track_id == SCENE:
            return "scene"
        return self._labels[class_id] if 0 <= class_id < len(self._labels) else "object"


def _reasons(part: _Measured) -> list[Reason]:
    """Per row the feature that departed furthest, and what is usual of it, on this camera, there.

    A group of numbers that say nothing to a person (``says_why`` false) speaks as a whole.
    """
    features = part.features.spec.features
    told = np.array([feature.says_why for feature in features])
    if not told.any():
        group = part.features.spec.group
        return [Reason(group, value, 1.0, "decades", True) for value in part.surprise.tolist()]
    standardiser = part.term.standardiser
    departure = np.where(told, standardiser.departure(part.standardised), -1)
    low, high = standardiser.bounds(part.place)
    reasons = []
    for row, most in enumerate(departure.argmax(axis=1).tolist()):
        above = bool(part.standardised[row, most] >= 0)
        usual = float((high if above else low)[row, most])
        value = float(part.features.values[row, most])
        reasons.append(Reason(features[most].name, value, usual, features[most].unit, above))
    return reasons
