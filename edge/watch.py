"""A camera under watch: learning, judging, or switched off."""

from __future__ import annotations

import logging
from concurrent.futures import Executor, Future
from pathlib import Path

from edge.analysis import Judge, LearningPlan, Pupil
from edge.domain.score import FrameScore
from edge.errors import NotLearntError, StorageError
from edge.perception.perception import Percept
from edge.scoring.model import CameraModel
from edge.scoring.store import save_camera_model

log = logging.getLogger(__name__)

SAVE_EVERY_S = 3600.0  # of footage: what a judging camera has added to its normality
REPORT_EVERY_S = 600.0  # how often a learning camera says how far it is


class Watch:
    """Turns a camera's percepts into scores, as soon as it has learnt what is normal.

    A finished learning period is evaluated by ``school``, so that no frame of another camera
    waits for it.
    """

    def __init__(
        self,
        camera: str,
        model: CameraModel | None,
        *,
        plan: LearningPlan,
        labels: tuple[str, ...],
        model_path: Path,
        school: Executor,
    ) -> None:
        self.enabled = True
        self._camera = camera
        self._plan = plan
        self._labels = labels
        self._path = model_path
        self._school = school
        self._mind = self._appoint(model) if model else Pupil(camera, plan)
        self._lesson: Future[CameraModel] | None = None
        self._due_s = plan.period_s
        self._report_s = REPORT_EVERY_S
        self._saved_s: float | None = None

    @property
    def model(self) -> CameraModel | None:
        """What it judges by; None while it learns."""
        return self._mind.model if isinstance(self._mind, Judge) else None

    def observe(self, percept: Percept) -> FrameScore | None:
        """Take in the next frame; its score, or None while the camera learns."""
        if isinstance(self._mind, Pupil):
            self._learn(self._mind, percept)
            return None
        self._save_now_and_then(self._mind.model, percept.frame.time_s)
        return self._mind.score(percept)

    def save(self) -> None:
        """Keep what a judging camera has learnt since; raises StorageError."""
        if isinstance(self._mind, Judge) and self._saved_s is not None:
            save_camera_model(self._path, self._mind.model)

    def _appoint(self, model: CameraModel) -> Judge:
        return Judge(model, labels=self._labels, adapt=True)

    def _learn(self, pupil: Pupil, percept: Percept) -> None:
        if self._lesson is not None:
            if self._lesson.done():
                self._finish(self._lesson)
            return
        pupil.watch(percept)
        if pupil.seconds >= self._due_s:
            self._lesson = self._school.submit(pupil.graduate)
        elif pupil.seconds >= self._report_s:
            self._report_s += REPORT_EVERY_S
            log.info(
                "camera %s: learning, %.0f of %.0f s", self._camera, pupil.seconds, self._due_s
            )

    def _finish(self, lesson: Future[CameraModel]) -> None:
        self._lesson = None
        try:
            model = lesson.result()
        except NotLearntError as error:
            self._due_s += self._plan.period_s
            log.warning("%s; it goes on learning", error)
            return
        self._mind = self._appoint(model)
        log.info("camera %s has learnt: threshold %s", self._camera, model.budget)
        self._keep(model)

    def _save_now_and_then(self, model: CameraModel, time_s: float) -> None:
        if self._saved_s is None:
            self._saved_s = time_s
        elif time_s - self._saved_s >= SAVE_EVERY_S:
            self._saved_s = time_s
            self._keep(model)

    def _keep(self, model: CameraModel) -> None:
        try:
            save_camera_model(self._path, model)
        except StorageError as error:
            log.error("camera %s goes on, but unsaved: %s", self._camera, error)
