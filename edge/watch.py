"""A camera under watch: learning, judging, or switched off."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from edge.analysis import Judge, Keeper, LearningPlan, Pupil
from edge.domain.score import FrameScore
from edge.errors import StorageError, VadError
from edge.features.actions import ActionSight
from edge.perception.perception import Percept
from edge.scoring.levels import Guide
from edge.scoring.model import CameraModel
from edge.scoring.store import save_camera_model

log = logging.getLogger(__name__)

SAVE_EVERY_S = 3600.0  # of footage: what an adapting camera has added to its normality
RETRY_EVERY_S = 60.0  # of footage: after the disk refused what was learnt
REPORT_EVERY_S = 600.0  # how often a learning camera says how far it is
ADAPT_FROM_S = 3600.0
"""A model of less footage does not adapt: its threshold is so high that all but everything lies
below it and would teach, the unusual included."""

Submit = Callable[[Callable[[], CameraModel]], Future[CameraModel]]


class Watch:
    """Turns a camera's percepts into scores, as soon as it has learnt what is normal.

    A finished learning period is evaluated by ``submit``, so that no frame of another camera
    waits for it. ``adapt`` goes on learning from unsuspicious frames; see ADAPT_FROM_S.

    What it has learnt itself is its *own* model. It judges by another where a generation gives one
    that is not older, and by its own again when the generation goes.
    """

    def __init__(
        self,
        camera: str,
        model: CameraModel | None,
        *,
        plan: LearningPlan,
        labels: tuple[str, ...],
        model_path: Path,
        submit: Submit,
        adapt: bool = False,
        keeper: Keeper | None = None,
        sight: ActionSight | None = None,
        guide: Guide | None = None,
    ) -> None:
        """``keeper`` gets the features of every frame, learning or judging.

        ``sight`` sees actions for several cameras, ``guide`` has the last word on their scores.
        """
        self.enabled = True
        self.problem = ""  # why its model is not on the disk, "" when it is
        self._camera = camera
        self._plan = plan
        self._labels = labels
        self._path = model_path
        self._submit = submit
        self._adapt = adapt
        self._keeper = keeper
        self._sight = sight
        self._guide = guide
        self._lesson: Future[CameraModel] | None = None
        self._due_s = plan.period_s
        self._report_s = REPORT_EVERY_S
        self._saved_s: float | None = None  # frame time of the latest try, or of the first frame
        self._unsaved = False  # the disk refused what was learnt
        self._written = _stamp(model_path)
        self._given: CameraModel | None = None  # by the generation in force; any thread writes it
        self._own = model
        self._mind = self._appoint(model) if model else self._enrol()

    @property
    def model(self) -> CameraModel | None:
        """What it judges by; None while it learns."""
        return self._mind.model if isinstance(self._mind, Judge) else None

    def follow(self, given: CameraModel | None) -> None:
        """Judge by a generation's model, or by its own again, from the next frame on.

        Any thread may ask. Frames, tracks and events go on; what was learnt after the given model
        counts more.
        """
        self._given = given

    @property
    def learnt_share(self) -> float | None:
        """How much of the learning period is over, in [0, 1]; None once it judges."""
        if isinstance(self._mind, Judge):
            return None
        return min(self._mind.seconds / self._due_s, 1.0)

    @property
    def in_lesson(self) -> bool:
        """Whether its learning period is being evaluated: a matter of seconds."""
        lesson = self._lesson  # which another thread may take away
        return lesson is not None and not lesson.done()

    def observe(self, percept: Percept) -> FrameScore | None:
        """Take in the next frame; its score, or None while the camera learns."""
        if isinstance(self._mind, Pupil):
            self._learn(self._mind, percept)
            return None
        self._turn_to(self._mind, self._wanted())
        if self._own is not None and (self._unsaved or self._adapts(self._mind.model)):
            self._save_now_and_then(self._own, percept.frame.time_s)
        return self._mind.score(percept)

    def save(self) -> None:
        """Keep what the disk does not have yet; a failure is logged. Call when no frame comes."""
        if self._lesson is not None and self._lesson.done():
            self._finish(self._lesson)
        own = self._own
        if own is None:
            return
        adapted = self._adapts(own) and self._saved_s is not None
        if adapted or self._unsaved:
            self._keep(own)

    def _enrol(self) -> Pupil:
        log.info(
            "camera %s: learning what is normal from the next %.0f s of its footage; "
            "a restart before that begins anew",
            self._camera,
            self._due_s,
        )
        return Pupil(
            self._camera, self._plan, labels=self._labels, keeper=self._keeper, sight=self._sight
        )

    def _adapts(self, model: CameraModel) -> bool:
        """A student was calibrated beside the other terms as they were: with it none moves."""
        seasoned = model.learnt_from_s >= ADAPT_FROM_S
        return self._adapt and seasoned and model.student is None

    def _wanted(self) -> CameraModel | None:
        own, given = self._own, self._given
        if own is None or given is None or own.created_s > given.created_s:
            return own
        return given

    def _turn_to(self, judge: Judge, model: CameraModel | None) -> None:
        if model is not None and model is not judge.model:
            judge.become(model, adapt=self._adapts(model))
            log.info(
                "camera %s: judged by %s, threshold %s", self._camera, model.version, model.budget
            )

    def _appoint(self, model: CameraModel) -> Judge:
        return Judge(
            model,
            labels=self._labels,
            adapt=self._adapts(model),
            keeper=self._keeper,
            sight=self._sight,
            guide=self._guide,
        )

    def _learn(self, pupil: Pupil, percept: Percept) -> None:
        if self._lesson is not None:
            if self._lesson.done():
                self._finish(self._lesson)
            return
        pupil.watch(percept)
        if pupil.seconds >= self._due_s:
            self._lesson = self._submit(pupil.graduate)
        elif pupil.seconds >= self._report_s:
            self._report_s += REPORT_EVERY_S
            log.info(
                "camera %s: learning, %.0f of %.0f s", self._camera, pupil.seconds, self._due_s
            )

    def _finish(self, lesson: Future[CameraModel]) -> None:
        self._lesson = None
        error = lesson.exception()
        if error is not None:
            self._due_s += self._plan.period_s
            fault = None if isinstance(error, VadError) else error  # a traceback for our own faults
            log.warning("camera %s goes on learning: %s", self._camera, error, exc_info=fault)
            return
        model = self._own = lesson.result()
        self._mind = self._appoint(model)
        log.info("camera %s has learnt: threshold %s", self._camera, model.budget)
        self._keep(model)

    def _save_now_and_then(self, model: CameraModel, time_s: float) -> None:
        pause_s = RETRY_EVERY_S if self._unsaved else SAVE_EVERY_S
        if self._saved_s is None:
            self._saved_s = time_s
        elif time_s - self._saved_s >= pause_s:
            self._saved_s = time_s
            self._keep(model)

    def _keep(self, model: CameraModel) -> None:
        """Write the model, unless somebody else, such as ``vad-edge fit``, has written since."""
        if _stamp(self._path) != self._written:
            self.problem = f"{self._path} was replaced: restart to go by it"
            self._unsaved = False  # the other's model counts
            log.warning("camera %s: %s", self._camera, self.problem)
            return
        try:
            save_camera_model(self._path, model)
        except StorageError as error:
            self._unsaved = True
            self.problem = f"goes on, but what it has learnt is not saved: {error}"
            log.error("camera %s %s", self._camera, self.problem)
            return
        self.problem = ""
        self._unsaved = False
        self._written = _stamp(self._path)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Tells one version of a file from another; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
