"""One camera's path from what is seen to how unusual it is: live and offline alike."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from edge.domain.features import Features, FeatureSpec
from edge.domain.score import FrameScore
from edge.features import kinematics, scene
from edge.features.scene import SceneMotion
from edge.features.segmenter import Segmenter
from edge.perception.perception import Percept
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import learn_camera
from edge.scoring.model import CameraModel, ScoringOptions
from edge.scoring.scorer import CameraScorer

SPECS: tuple[FeatureSpec, ...] = (*kinematics.SPECS, *scene.SPECS)
"""The feature groups that a camera is measured by."""


class Extractor:
    """Measures what is seen; holds the last second of each track and the last pictures."""

    def __init__(self) -> None:
        self._segmenter = Segmenter()
        self._scene = SceneMotion()

    def measure(self, percept: Percept) -> tuple[Features, ...]:
        """All feature groups of one frame."""
        frame = percept.frame
        segments = self._segmenter.push(
            percept.tracks, time_s=frame.time_s, width=frame.width, height=frame.height
        )
        return (
            *kinematics.describe(segments),
            *self._scene.observe(frame, percept.motion.mask),
        )


@dataclass(frozen=True, slots=True)
class LearningPlan:
    """How a camera without a model comes to one."""

    period_s: float  # of footage
    alarms_per_day: float
    options: ScoringOptions


class Pupil:
    """A camera that learns: collects normal footage until somebody asks for a model."""

    def __init__(self, camera: str, plan: LearningPlan) -> None:
        self.camera = camera
        self._plan = plan
        self._extractor = Extractor()
        self._footage = NormalFootage()

    @property
    def seconds(self) -> float:
        """Footage watched so far."""
        return self._footage.watched_s

    def watch(self, percept: Percept) -> None:
        """Take in one frame as normal."""
        frame = percept.frame
        self._footage.add(
            self._extractor.measure(percept),
            time_s=frame.time_s,
            width=frame.width,
            height=frame.height,
        )

    def graduate(self) -> CameraModel:
        """Learn from all that was seen; raises NotLearntError when it was too little."""
        return learn_camera(
            self._footage,
            camera=self.camera,
            alarms_per_day=self._plan.alarms_per_day,
            created_s=time.time(),
            options=self._plan.options,
        )


class Judge:
    """A camera that has learnt: every frame gets its score."""

    def __init__(self, model: CameraModel, *, labels: Iterable[str], adapt: bool = False) -> None:
        self._extractor = Extractor()
        self._scorer = CameraScorer(model, labels=tuple(labels), adapt=adapt)

    @property
    def model(self) -> CameraModel:
        """What it judges by."""
        return self._scorer.model

    def score(self, percept: Percept) -> FrameScore:
        """The frame's score; frames come in order."""
        frame = percept.frame
        return self._scorer.observe(
            self._extractor.measure(percept),
            percept.tracks,
            index=frame.index,
            time_s=frame.time_s,
            width=frame.width,
            height=frame.height,
        )
