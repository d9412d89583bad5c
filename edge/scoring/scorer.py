"""The scorer of one camera: features of a frame in, its score and the reasons out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes
from edge.domain.features import Features
from edge.domain.score import FrameScore, Reason, RegionScore
from edge.domain.tracks import Tracks
from edge.errors import FeatureVersionError
from edge.scoring.fusion import fuse
from edge.scoring.levels import HELD, Guide, Judged, guided, levels_of, loudest, speaks_of
from edge.scoring.model import CameraModel
from edge.scoring.newcomers import Newcomers
from edge.scoring.reasons import reason
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
    as one never teaches, nor does one that a ``guide`` calls normal: words can be taken back.
    """

    def __init__(
        self,
        model: CameraModel,
        *,
        labels: Sequence[str],
        adapt: bool = False,
        guide: Guide | None = None,
    ) -> None:
        """``labels``: the detector's class names; an empty list calls everything "object".

        ``guide``: has the last word on tracks whose actions are known.
        """
        self.levels: Mapping[int, float] = {}  # score of each track in the latest frame, unguided
        self._labels = labels
        self._guide = guide
        self._newcomers = Newcomers()
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
        self._names = model.names() if model.words else ()  # of the terms, told with each reason
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
        levels = levels_of(parts, len(self._model.terms), len(tracks))
        scores = self._model.evidence.surprise(fuse(levels))  # of the whole frame, of each track
        self.levels = dict(zip(tracks.track_id.tolist(), scores[1:].tolist(), strict=True))
        if self._adapt and scores[0] < ADAPT_BELOW * self._model.threshold:
            self._learn(parts, time_s)
        if self._guide is not None:
            self._guide.saw(levels[:, 1:].max(axis=0, initial=0))
            change = self._change(self._guide, features, tracks, time_s, (width, height))
            parts = [guided(part, tracks, change) for part in parts] if change.any() else parts
            levels = levels_of(parts, len(self._model.terms), len(tracks))
            scores = self._model.evidence.surprise(fuse(levels))
        regions = self._regions(parts, tracks, levels, scores) if parts else ()
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
        level, concerned = term.level.surprise(smoothed), speaks_of(group, tracks)
        return Judged(
            sight.order,
            term,
            group,
            sight.place,
            sight.points,
            sight.distance,
            level=level,
            speaks_of=concerned,
            of_tracks=level[:, None] * concerned,
        )

    def _change(
        self,
        guide: Guide,
        features: Sequence[Features],
        tracks: Tracks,
        time_s: float,
        size_px: tuple[int, int],
    ) -> Array:
        """What words change in the levels of each track, (tracks,).

        A newcomer whose action they wait for is held back; else it is 0 where none is known.
        """
        words, (width, height) = self._model.words, size_px
        new = self._newcomers.step(tracks.track_id, time_s)
        change = np.zeros(len(tracks), np.float32)
        for group in features:
            if words is None or group.spec != words.features:
                continue
            boxes, concerned = group.boxes_xyxy, speaks_of(group, tracks)
            said = guide.change(group.values, boxes, time_s=time_s, width=width, height=height)
            change += said @ concerned
            held = new & ~concerned.any(axis=0)
            if held.any():
                boxes = tracks.boxes_xyxy
                held &= guide.may_silence(boxes, time_s=time_s, width=width, height=height)
                change[held] = HELD
        return change

    def _learn(self, parts: Sequence[Judged], time_s: float) -> None:
        if time_s - self._adapted_s >= ADAPT_EVERY_S:
            self._adapted_s = time_s
            for part in parts:
                part.term.normality.update(part.points)

    def _regions(
        self, parts: Sequence[Judged], tracks: Tracks, levels: Array, scores: Array
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
            self._track(tracks, place, float(scores[1 + place]), loudest(parts, place), levels)
            for place in near
            if place != blamed
        ]
        others.sort(key=lambda region: -region.score)
        frame_score = float(scores[0])
        if blamed is not None:
            return (self._track(tracks, blamed, frame_score, (part, row), levels), *others)
        box = part.features.boxes_xyxy[row]
        why = self._reason(part, row, levels[:, 0])
        scene = RegionScore(None, "scene", _box(box), frame_score, why)
        return (scene, *others)

    def _track(
        self, tracks: Tracks, place: int, score: float, why: tuple[Judged, int], levels: Array
    ) -> RegionScore:
        class_id = int(tracks.class_id[place])
        known = 0 <= class_id < len(self._labels)
        return RegionScore(
            track_id=int(tracks.track_id[place]),
            label=self._labels[class_id] if known else "object",
            box_xyxy=_box(tracks.boxes_xyxy[place]),
            score=score,
            reason=self._reason(*why, levels[:, 1 + place]),
        )

    def _reason(self, part: Judged, row: int, levels: Array) -> Reason:
        """The reason of one row, and what each term says, (terms,), where words are among them."""
        told = tuple(zip(self._names, levels.tolist(), strict=True)) if self._names else ()
        return replace(reason(part, row), terms=told)


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


def _box(box_xyxy: Boxes) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box_xyxy.tolist()
    return x1, y1, x2, y2
