"""The scorer of one camera: features of a frame in, its score and the reasons out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes
from edge.domain.features import SCENE, Features
from edge.domain.score import FrameScore, RegionScore
from edge.domain.tracks import Tracks
from edge.errors import FeatureVersionError
from edge.scoring.fusion import fuse
from edge.scoring.model import CameraModel
from edge.scoring.reasons import Judged, reason
from edge.scoring.smoothing import Smoother
from edge.scoring.standardise import place_of

Array: TypeAlias = npt.NDArray[np.float32]

ADAPT_EVERY_S = 1.0  # neighbouring frames teach the same
ADAPT_BELOW = 0.5  # of the threshold: only what is clearly normal teaches


@dataclass(frozen=True, slots=True)
class _Loudest:
    """The region that is most surprising in the eyes of any term."""

    part: Judged
    row: int


class CameraScorer:
    """Scores one camera's frames in order; the scores are causal.

    With ``adapt`` it keeps learning from frames that are clearly normal. An anomaly that is scored
    as one never teaches.
    """

    def __init__(self, model: CameraModel, *, labels: Sequence[str], adapt: bool = False) -> None:
        """``labels``: the detector's class names; an empty list calls everything "object"."""
        self._model = model
        self._terms = {term.spec.spec_version: k for k, term in enumerate(model.terms)}
        self._groups = {term.spec.group for term in model.terms}
        self._labels = labels
        self._adapt = adapt
        self._adapted_s = float("-inf")
        options = model.options
        self._smoothers = [
            Smoother(memory_s=options.memory_s, prior_s=options.prior_s) for _ in model.terms
        ]

    @property
    def model(self) -> CameraModel:
        """What it scores with, including what ``adapt`` has added."""
        return self._model

    def observe(
        self,
        features: Sequence[Features],
        tracks: Tracks,
        *,
        index: int,
        time_s: float,
        width: int,
        height: int,
    ) -> FrameScore:
        """Score one frame from all groups measured of it, in any order.

        Raises FeatureVersionError for a group that was learnt in another version.
        """
        parts = [
            self._judge(group, time_s, width, height)
            for group in features
            if len(group) and self._knows(group)
        ]
        levels = self._levels(parts, tracks)  # (terms, 1 + tracks): the whole frame, each track
        scores = self._model.evidence.surprise(fuse(levels, self._model.options.rule))
        score = float(scores[0])
        if self._adapt and score < ADAPT_BELOW * self._model.threshold:
            self._learn(parts, time_s)
        regions = self._regions(parts, tracks, scores) if parts else ()
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

    def _judge(self, group: Features, time_s: float, width: int, height: int) -> Judged:
        order = self._terms[group.spec.spec_version]
        term = self._model.terms[order]
        place = place_of(group.boxes_xyxy, width, height)
        standardised = term.standardiser.apply(group.values, place)
        surprise = term.calibration.surprise(term.normality.distance(standardised))
        smoothed = self._smoothers[order].step(group.track_id, group.cells, surprise, time_s)
        return Judged(order, term, group, place, standardised, term.level.surprise(smoothed))

    def _levels(self, parts: Sequence[Judged], tracks: Tracks) -> Array:
        """What each term says of the frame and of each track; a silent term says 0."""
        levels = np.zeros((len(self._model.terms), 1 + len(tracks)), np.float32)
        for part in parts:
            levels[part.order, 0] = part.level.max()
            belongs = _belongs(part.features, tracks)  # (N, tracks)
            levels[part.order, 1:] = np.where(belongs, part.level[:, None], 0).max(
                axis=0, initial=0
            )
        return levels

    def _learn(self, parts: Sequence[Judged], time_s: float) -> None:
        if time_s - self._adapted_s >= ADAPT_EVERY_S:
            self._adapted_s = time_s
            for part in parts:
                part.term.normality.update(part.standardised)

    def _regions(
        self, parts: Sequence[Judged], tracks: Tracks, scores: Array
    ) -> tuple[RegionScore, ...]:
        """Every track, and where nothing that is tracked is to blame, the scene itself.

        Whatever is loudest has the frame's score: it is what an alarm is raised about.
        """
        loudest = max((_Loudest(part, int(part.level.argmax())) for part in parts), key=_level)
        found = []
        blamed: int | None = None
        for place in np.argsort(-scores[1:]).tolist():
            own = _loudest_of(parts, tracks, place)
            if own is None:
                continue
            score = float(scores[1 + place])
            if blamed is None and own == loudest:
                blamed, score = place, float(scores[0])
            found.append(self._region(tracks, place, score, own))
        if blamed is None:
            found.append(self._scene(loudest, float(scores[0])))
        return tuple(sorted(found, key=lambda region: -region.score))

    def _region(self, tracks: Tracks, place: int, score: float, own: _Loudest) -> RegionScore:
        class_id = int(tracks.class_id[place])
        known = 0 <= class_id < len(self._labels)
        return RegionScore(
            track_id=int(tracks.track_id[place]),
            label=self._labels[class_id] if known else "object",
            box_xyxy=_box(tracks.boxes_xyxy[place]),
            score=score,
            reason=reason(own.part, own.row),
        )

    def _scene(self, loudest: _Loudest, score: float) -> RegionScore:
        box = loudest.part.features.boxes_xyxy[loudest.row]
        return RegionScore(None, "scene", _box(box), score, reason(loudest.part, loudest.row))


def _level(loudest: _Loudest) -> float:
    return float(loudest.part.level[loudest.row])


def _belongs(group: Features, tracks: Tracks) -> npt.NDArray[np.bool_]:
    """Which of N rows speak of which track, (N, tracks): its own, or a cell inside its box."""
    own = group.track_id[:, None] == tracks.track_id[None, :]
    low, high = tracks.boxes_xyxy[None, :, :2], tracks.boxes_xyxy[None, :, 2:]
    middle = ((group.boxes_xyxy[:, :2] + group.boxes_xyxy[:, 2:]) / 2)[:, None]
    inside = ((middle >= low) & (middle <= high)).all(axis=-1)
    return np.asarray(own | ((group.track_id[:, None] == SCENE) & inside), np.bool_)


def _loudest_of(parts: Sequence[Judged], tracks: Tracks, place: int) -> _Loudest | None:
    """The loudest row that speaks of one track; None where none does."""
    best: _Loudest | None = None
    one = Tracks(
        tracks.track_id[place : place + 1],
        tracks.boxes_xyxy[place : place + 1],
        tracks.confidence[place : place + 1],
        tracks.class_id[place : place + 1],
    )
    for part in parts:
        rows = np.flatnonzero(_belongs(part.features, one)[:, 0])
        if len(rows):
            candidate = _Loudest(part, int(rows[part.level[rows].argmax()]))
            best = candidate if best is None or _level(candidate) > _level(best) else best
    return best


def _box(box_xyxy: Boxes) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box_xyxy.tolist()
    return x1, y1, x2, y2
