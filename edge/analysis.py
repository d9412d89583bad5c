"""One camera's path from what is seen to how unusual it is: live and offline alike."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.domain.features import Features, FeatureSpec
from edge.domain.score import FrameScore
from edge.domain.segment import ObjectSegments
from edge.features import directions, kinematics, scene, scene_segment
from edge.features.actions import ActionSight
from edge.features.directions import Directions, ObjectFlow
from edge.features.embedding import SceneEmbedding
from edge.features.scene import SceneMotion
from edge.features.scene_segment import SceneFlow, SceneObjects
from edge.features.segmenter import Segmenter
from edge.model.artifact import Eyes
from edge.perception.perception import Percept
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import learn_camera
from edge.scoring.levels import Guide
from edge.scoring.model import CameraModel, ScoringOptions
from edge.scoring.scorer import CameraScorer
from edge.scoring.student import StudentTerm
from edge.scoring.words import Words

SPECS: tuple[FeatureSpec, ...] = (*kinematics.SPECS, *scene.SPECS)
"""The feature groups that a camera is scored by."""

DESCRIPTOR_SPECS: tuple[FeatureSpec, ...] = (directions.SPEC, *scene_segment.SPECS)
"""The groups that are measured besides for whoever learns from the feature store."""

STORED_SPECS: tuple[FeatureSpec, ...] = (*SPECS, *DESCRIPTOR_SPECS)
"""All that the feature store holds of a camera."""


class Keeper(Protocol):
    """Where the features of a camera's frames are kept."""

    def append(
        self,
        camera: str,
        groups: Sequence[Features],
        *,
        labels: tuple[str, ...],
        time_s: float,
        width: int,
        height: int,
        score: float | None,
    ) -> None:
        """Take in one frame, ``labels`` being what its class ids point into.

        ``score`` is None while the camera learns. Never waits or raises.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What one frame was measured by."""

    scored: tuple[Features, ...]  # one group per entry of SPECS
    described: tuple[Features, ...] = ()  # one per entry of DESCRIPTOR_SPECS, where wanted
    embedded: tuple[Features, ...] = ()  # what a student's own eyes make of the scene
    acted: tuple[Features, ...] = ()  # what a word model makes of the objects, where it runs

    @property
    def all(self) -> tuple[Features, ...]:
        """Every group, for whoever picks."""
        return (*self.scored, *self.described, *self.embedded, *self.acted)


class Extractor:
    """Measures what is seen; holds the last second of each track and the last pictures."""

    def __init__(self, *, describing: bool = False, sight: ActionSight | None = None) -> None:
        """``describing``: measure the descriptors too.

        ``sight``: what sees actions for several cameras; default: one of its own.
        """
        self._segmenter = Segmenter()
        self._scene = SceneMotion()
        self._describer = Describer() if describing else None
        self._eyes: Eyes | None = None
        self._embedding: SceneEmbedding | None = None
        self._shared = sight
        self.sight: ActionSight | None = None  # that is in use

    def provide(self, student: StudentTerm | None, words: Words | None = None) -> None:
        """See that what a student reads and words speak of is measured from the next frame on."""
        if words is None:
            self.sight = None
        elif self.sight is None or self.sight.spec != words.features:
            self.sight = self._shared or words.sight()
        eyes = student.eyes if student else None
        if eyes is not self._eyes:
            self._eyes = eyes
            self._embedding = SceneEmbedding(eyes.backbone, eyes.look) if eyes else None
        if student is not None and student.reads_scene and eyes is None:
            self._describer = self._describer or Describer()

    def measure(self, percept: Percept) -> Measured:
        """All feature groups of one frame."""
        frame = percept.frame
        segments = self._segmenter.push(
            percept.tracks, time_s=frame.time_s, width=frame.width, height=frame.height
        )
        scored = (
            *kinematics.describe(segments),
            *self._scene.observe(frame, percept.motion.mask),
        )
        described: tuple[Features, ...] = ()
        if self._describer is not None:
            ways = Directions.of(self._scene.flow, percept.motion.mask)
            described = self._describer.describe(percept, segments, scored[0], ways)
        embedded: tuple[Features, ...] = ()
        if self._embedding is not None:
            embedded = (self._embedding.observe(percept.frame, percept.tracks.boxes_xyxy),)
        return Measured(scored, described, embedded, self._acted(percept))

    def _acted(self, percept: Percept) -> tuple[Features, ...]:
        """What words speak of; nothing at all where their model does not run."""
        if self.sight is None:
            return ()
        actions = self.sight.features(percept)
        return () if self.sight.problem else (actions,)


class Describer:
    """Measures the descriptors from what the scored groups were measured of."""

    def __init__(self) -> None:
        self._object_flow = ObjectFlow()
        self._scene_flow = SceneFlow()
        self._scene_objects = SceneObjects()

    def describe(
        self, percept: Percept, segments: ObjectSegments, kinematic: Features, ways: Directions
    ) -> tuple[Features, ...]:
        """One group per entry of ``DESCRIPTOR_SPECS``; scene segments slide with the frames."""
        frame, motion = percept.frame, percept.motion
        time_s, width, height = frame.time_s, frame.width, frame.height
        return (
            self._object_flow.observe(
                percept.tracks, segments, ways, time_s=time_s, scale=motion.scale
            ),
            self._scene_flow.observe(ways, motion.mask, time_s=time_s, width=width, height=height),
            self._scene_objects.observe(kinematic, time_s=time_s, width=width, height=height),
        )


@dataclass(frozen=True, slots=True)
class LearningPlan:
    """How a camera without a model comes to one."""

    period_s: float  # of footage
    alarms_per_day: float
    options: ScoringOptions
    student: StudentTerm | None = None  # that takes part from the beginning
    words: Words | None = None  # likewise


class Pupil:
    """A camera that learns: collects normal footage until somebody asks for a model."""

    def __init__(
        self,
        camera: str,
        plan: LearningPlan,
        *,
        labels: tuple[str, ...] = (),
        keeper: Keeper | None = None,
        sight: ActionSight | None = None,
    ) -> None:
        """``keeper`` gets the features of every frame, and the detector's ``labels``.

        ``sight`` as for ``Extractor``.
        """
        self.camera = camera
        self._plan = plan
        self._labels = labels
        self._keeper = keeper
        self._extractor = Extractor(describing=keeper is not None, sight=sight)
        self._extractor.provide(plan.student, plan.words)
        self._footage = NormalFootage()

    @property
    def seconds(self) -> float:
        """Footage watched so far."""
        return self._footage.watched_s

    def watch(self, percept: Percept) -> None:
        """Take in one frame as normal."""
        frame, measured = percept.frame, self._extractor.measure(percept)
        groups = measured.all if self._plan.student else (*measured.scored, *measured.acted)
        self._footage.add(groups, time_s=frame.time_s, width=frame.width, height=frame.height)
        if self._keeper is not None:
            _keep(self._keeper, percept, measured, labels=self._labels, score=None)

    def graduate(self) -> CameraModel:
        """Learn from all that was seen; raises NotLearntError when it was too little."""
        return learn_camera(
            self._footage,
            camera=self.camera,
            alarms_per_day=self._plan.alarms_per_day,
            created_s=time.time(),
            options=self._plan.options,
            student=self._plan.student,
            words=self._plan.words,
        )


class Judge:
    """A camera that has learnt: every frame gets its score."""

    def __init__(
        self,
        model: CameraModel,
        *,
        labels: Iterable[str],
        adapt: bool = False,
        keeper: Keeper | None = None,
        sight: ActionSight | None = None,
        guide: Guide | None = None,
    ) -> None:
        """``keeper`` and ``sight`` as for ``Pupil``; ``guide`` has the last word on tracks."""
        self._labels = tuple(labels)
        self._keeper = keeper
        self._extractor = Extractor(describing=keeper is not None, sight=sight)
        self._scorer = CameraScorer(model, labels=self._labels, adapt=adapt, guide=guide)
        self._extractor.provide(model.student, model.words)

    @property
    def model(self) -> CameraModel:
        """What it judges by."""
        return self._scorer.model

    def become(self, model: CameraModel, *, adapt: bool = False) -> None:
        """Judge by another model from the next frame on; what was seen before goes on counting."""
        self._scorer.become(model, adapt=adapt)
        self._extractor.provide(model.student, model.words)

    def score(self, percept: Percept) -> FrameScore:
        """The frame's score; frames come in order."""
        frame, measured = percept.frame, self._extractor.measure(percept)
        score = self._scorer.observe(
            measured.all,
            percept.tracks,
            index=frame.index,
            time_s=frame.time_s,
            width=frame.width,
            height=frame.height,
        )
        if self._extractor.sight is not None:
            self._extractor.sight.heed(frame.camera, self._scorer.levels)
        if self._keeper is not None:
            _keep(self._keeper, percept, measured, labels=self._labels, score=score.score)
        return score


def _keep(
    keeper: Keeper,
    percept: Percept,
    measured: Measured,
    *,
    labels: tuple[str, ...],
    score: float | None,
) -> None:
    frame = percept.frame
    keeper.append(
        frame.camera,
        (*measured.scored, *measured.described),
        labels=labels,
        time_s=frame.time_s,
        width=frame.width,
        height=frame.height,
        score=score,
    )
