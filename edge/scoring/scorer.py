"""The scorer of one camera: features of a frame in, its score and the reasons out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes
from edge.domain.features import Features
from edge.domain.score import FrameScore, RegionScore
from edge.domain.tracks import Tracks
from edge.errors import FeatureVersionError
from edge.scoring.fusion import fuse
from edge.scoring.model import CameraModel
from edge.scoring.reasons import Judged, reason
from edge.scoring.scene_reel import WHOLE, SceneReel
from edge.scoring.smoothing import Smoother
from edge.scoring.standardise import place_of
from edge.scoring.student import StudentTerm

Array: TypeAlias = npt.NDArray[np.float32]
_Key: TypeAlias = tuple[str, int, float, float]  # group, which of its terms, memory, prior

ADAPT_EVERY_S = 1.0  # neighbouring frames teach the same
ADAPT_BELOW = 0.5  # of the threshold: only what is clearly normal teaches
NEAR_DECADES = 1.0  # below the threshold: tracks with less are left out of the answer


@dataclass(frozen=True, slots=True, eq=False)
class _Sight:
    """One group's rows of a frame and how far they are from what one term calls normal."""

    order: int  # of the term in the model
    features: Features
    place: Array  # (N, 2)
    points: Array  # (N, d) as the term's normality compares them
    distance: Array  # (N,)


class CameraScorer:
    """Scores one camera's frames in order; the scores are causal.

    With ``adapt`` it keeps learning from frames that are clearly normal. An anomaly that is scored
    as one never teaches.
    """

    def __init__(self, model: CameraModel, *, labels: Sequence[str], adapt: bool = False) -> None:
        """``labels``: the detector's class names; an empty list calls everything "object"."""
        self._labels = labels
        self._adapted_s = float("-inf")
        self._smoothers: dict[_Key, Smoother] = {}
        self._reel = SceneReel()
        self.become(model, adapt=adapt)

    @property
    def model(self) -> CameraModel:
        """What it scores with, including what ``adapt`` has added."""
        return self._model

    def become(self, model: CameraModel, *, adapt: bool = False) -> None:
        """Score by another model from the next frame on.

        What has gathered along the way of tracks and cells goes on in terms that both have: it is
        in decades of surprise, which mean the same in every model of a camera.
        """
        self._model = model
        self._adapt = adapt
        student = model.student
        self._watcher = student if student is not None and student.reads_scene else None
        own = model.terms[:-1] if self._watcher else model.terms  # a student's term is the last
        self._groups = {term.spec.group for term in own}
        self._orders: dict[str, list[int]] = {}  # of the terms of each group
        for order, term in enumerate(own):
            self._orders.setdefault(term.spec.spec_version, []).append(order)
        self._keys = _keys(model)
        self._smoothers = {key: self._smoothers.get(key) or _smoother(key) for key in self._keys}
        if self._watcher is not None:
            self._reel = self._reel.turned(self._watcher.spec.window, self._watcher.groups)
        self._scene: _Sight | None = None  # of the segment in force, as the watcher sees it
        self._said: float | None = None  # the watcher's own score of it

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
        seen = [
            *self._sights(features, width, height),
            *self._scene_sights(features, time_s),
        ]
        parts = [self._judge(sight, tracks, time_s) for sight in seen]
        levels = self._levels(parts, tracks)  # (terms, 1 + tracks): the whole frame, each track
        scores = self._model.evidence.surprise(fuse(levels))
        if self._adapt and scores[0] < ADAPT_BELOW * self._model.threshold:
            self._learn(parts, time_s)
        regions = self._regions(parts, tracks, scores) if parts else ()
        score = float(scores[0])
        camera = self._model.camera
        return FrameScore(camera, index, time_s, width, height, score, regions, self._said)

    def _knows(self, group: Features) -> bool:
        """A group that the learning footage hardly showed is silent; a changed one is an error."""
        if group.spec.spec_version in self._orders:
            return True
        if group.spec.group in self._groups:
            learnt = ", ".join(self._model.spec_versions)
            raise FeatureVersionError(
                f"camera {self._model.camera} learnt {learnt}, but these features are "
                f"{group.spec.spec_version}: learn the camera anew"
            )
        return False

    def _sights(self, features: Sequence[Features], width: int, height: int) -> Iterator[_Sight]:
        """Every group that has rows, through each of its terms."""
        for group in features:
            if not len(group) or not self._knows(group):
                continue
            place = place_of(group.boxes_xyxy, width, height)
            for order in self._orders[group.spec.spec_version]:
                term = self._model.terms[order]
                points = term.points(group.values, place)
                yield _Sight(order, group, place, points, term.normality.distance(points))

    def _scene_sights(self, features: Sequence[Features], time_s: float) -> Iterator[_Sight]:
        """The scene segment that is in force, through the student, if that looks at scenes."""
        if self._watcher is None:
            return
        changed = self._reel.push(features, time_s)
        if changed or self._scene is None:
            self._said = None
            self._scene = self._look_at_scene(self._watcher)
        if self._scene is not None:
            yield self._scene

    def _look_at_scene(self, watcher: StudentTerm) -> _Sight | None:
        newest = self._reel.newest
        if newest is None:
            return None
        order = len(self._model.terms) - 1
        values = self._reel.values
        points = self._model.terms[order].points(values, np.repeat(WHOLE, len(values), axis=0))
        self._said = watcher.newest(points)
        distance = watcher.distance_of(np.array([self._said], np.float32))
        return _Sight(order, newest, WHOLE, points[-1:], distance)

    def _judge(self, sight: _Sight, tracks: Tracks, time_s: float) -> Judged:
        term, group = self._model.terms[sight.order], sight.features
        surprise = term.calibration.surprise(sight.distance)
        smoother = self._smoothers[self._keys[sight.order]]
        smoothed = smoother.step(group.track_id, group.cells, surprise, time_s)
        return Judged(
            sight.order,
            term,
            group,
            sight.place,
            sight.points,
            sight.distance,
            level=term.level.surprise(smoothed),
            speaks_of=_speaks_of(group, tracks),
        )

    def _levels(self, parts: Sequence[Judged], tracks: Tracks) -> Array:
        """What each term says of the frame and of each track; a silent term says 0."""
        levels = np.zeros((len(self._model.terms), 1 + len(tracks)), np.float32)
        for part in parts:
            levels[part.order, 0] = part.level.max()
            levels[part.order, 1:] = (part.level[:, None] * part.speaks_of).max(axis=0, initial=0)
        return levels

    def _learn(self, parts: Sequence[Judged], time_s: float) -> None:
        if time_s - self._adapted_s >= ADAPT_EVERY_S:
            self._adapted_s = time_s
            for part in parts:
                part.term.normality.update(part.points)

    def _regions(
        self, parts: Sequence[Judged], tracks: Tracks, scores: Array
    ) -> tuple[RegionScore, ...]:
        """What is loudest, with the frame's score, and every other track that comes near an alarm.

        The loudest is a track where one is concerned, else the scene itself.
        """
        part = max(parts, key=lambda each: float(each.level.max()))
        row = int(part.level.argmax())
        concerned = np.flatnonzero(part.speaks_of[row])
        blamed = int(concerned[scores[1 + concerned].argmax()]) if len(concerned) else None
        is_near = scores[1:] >= self._model.threshold - NEAR_DECADES
        near = np.flatnonzero(is_near & (scores[1:] > 0)).tolist()  # 0: nothing speaks of it
        others = [
            self._track(tracks, place, float(scores[1 + place]), _loudest(parts, place))
            for place in near
            if place != blamed
        ]
        others.sort(key=lambda region: -region.score)
        frame_score = float(scores[0])
        if blamed is not None:
            return (self._track(tracks, blamed, frame_score, (part, row)), *others)
        box = part.features.boxes_xyxy[row]
        scene = RegionScore(None, "scene", _box(box), frame_score, reason(part, row))
        return (scene, *others)

    def _track(
        self, tracks: Tracks, place: int, score: float, why: tuple[Judged, int]
    ) -> RegionScore:
        class_id = int(tracks.class_id[place])
        known = 0 <= class_id < len(self._labels)
        return RegionScore(
            track_id=int(tracks.track_id[place]),
            label=self._labels[class_id] if known else "object",
            box_xyxy=_box(tracks.boxes_xyxy[place]),
            score=score,
            reason=reason(*why),
        )


def _keys(model: CameraModel) -> list[_Key]:
    """Terms of two models whose keys are equal may share their evidence."""
    seen: Counter[str] = Counter()
    keys = []
    for version in model.spec_versions:
        keys.append((version, seen[version], model.options.memory_s, model.options.prior_s))
        seen[version] += 1
    return keys


def _smoother(key: _Key) -> Smoother:
    _, _, memory_s, prior_s = key
    return Smoother(memory_s=memory_s, prior_s=prior_s)


def _speaks_of(group: Features, tracks: Tracks) -> npt.NDArray[np.bool_]:
    """Which of N rows concern which track, (N, tracks): its own, or a cell inside its box."""
    if group.cells is None:
        return np.asarray(group.track_id[:, None] == tracks.track_id[None, :], np.bool_)
    middle = ((group.boxes_xyxy[:, :2] + group.boxes_xyxy[:, 2:]) / 2)[:, None]
    low, high = tracks.boxes_xyxy[None, :, :2], tracks.boxes_xyxy[None, :, 2:]
    return np.asarray(((middle >= low) & (middle <= high)).all(axis=-1), np.bool_)


def _loudest(parts: Sequence[Judged], place: int) -> tuple[Judged, int]:
    """The loudest row that concerns one track."""
    levels = [part.level * part.speaks_of[:, place] for part in parts]
    part = max(range(len(parts)), key=lambda k: float(levels[k].max()))
    return parts[part], int(levels[part].argmax())


def _box(box_xyxy: Boxes) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box_xyxy.tolist()
    return x1, y1, x2, y2
