"""From a trained student to the cameras' judge: calibrate, watch, decide, point.

Each camera is calibrated with the new student on quiet footage that taught, then candidate and
running model watch the same quiet footage that taught neither (``edge.adoption``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.adoption import Shadow, Verdict, decide, watch_footage
from edge.analysis import SPECS, LearningPlan
from edge.compose import limits
from edge.domain.features import FeatureSpec
from edge.errors import NotLearntError
from edge.generation import Generations
from edge.model.artifact import Artifact
from edge.scoring.learn import learn_camera
from edge.scoring.model import CameraModel
from edge.scoring.student import INPUTS, StudentTerm
from edge.training.material import Material


@dataclass(frozen=True, slots=True)
class TrialRules:
    """How cameras are tried."""

    plans: Mapping[str, LearningPlan]  # by camera
    cooldown_s: float  # between alarms
    least_s: float  # footage of each camera that decides


@dataclass(frozen=True, slots=True)
class Tried:
    """The end of a trial."""

    verdict: Verdict
    version: str | None  # of the generation that judges from now on; None: it was not adopted
    left_out: Mapping[str, str]  # cameras that go on without this student, and why


def try_out(
    artifact: Artifact,
    materials: Sequence[Material],
    running: Mapping[str, CameraModel],
    generations: Generations,
    *,
    rules: TrialRules,
) -> Tried:
    """Adopt the artifact as the cameras' student, or say why not; ``running`` judges until then.

    Raises ModelError where the student fails its golden segments, StorageError where the disk
    refuses; what judged goes on then.
    """
    student = StudentTerm.of(artifact)
    models, shadows, left_out = {}, [], {}
    for material in materials:
        camera = material.camera
        try:
            models[camera] = _calibrated(material, student, rules.plans[camera])
        except NotLearntError as error:
            left_out[camera] = str(error)
            continue
        present = running.get(camera)
        shadows.append(_shadow(material, models[camera], present, rules.cooldown_s))
    verdict = decide(shadows, least_s=rules.least_s)
    if not verdict.adopt:
        return Tried(verdict, None, left_out)
    version = generations.add(artifact, models, verdict, created_s=time.time())
    generations.point_to(version, reason=verdict.reason)
    return Tried(verdict, version, left_out)


def _specs(student: StudentTerm) -> tuple[FeatureSpec, ...]:
    """What a camera with this student is scored by."""
    return tuple(dict.fromkeys((*SPECS, *INPUTS[student.spec.head])))


def _calibrated(material: Material, student: StudentTerm, plan: LearningPlan) -> CameraModel:
    return learn_camera(
        material.footage(_specs(student)),
        camera=material.camera,
        alarms_per_day=plan.alarms_per_day,
        created_s=time.time(),
        options=plan.options,
        student=student,
    )


def _shadow(
    material: Material, candidate: CameraModel, running: CameraModel | None, cooldown_s: float
) -> Shadow:
    """What both raise on what was held out; a camera that still learns raises nothing."""

    def watched(model: CameraModel) -> tuple[int, float]:
        groups = SPECS if model.student is None else _specs(model.student)
        clips = material.held_out(groups)
        return watch_footage(model, clips, limits=limits(model, cooldown_s=cooldown_s))

    alarms, footage_s = watched(candidate)
    return Shadow(
        camera=material.camera,
        footage_s=footage_s,
        alarms_per_day=candidate.budget.alarms_per_day,
        candidate_alarms=alarms,
        running_alarms=0 if running is None else watched(running)[0],
    )
