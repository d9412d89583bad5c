"""One training of a host by itself: from its cameras' material to a student that can be exported.

Several stages where labels are found out: each is trained to its end, then the labels are refined
by what the student thinks (CLAP, Alg. 2). Equal material gives equal weights, also when the process
was killed in between: every stage has its checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.domain.boxes import Floats
from edge.domain.weights import Weights
from edge.errors import NotLearntError
from edge.model.artifact import Artifact
from edge.model.export import make_artifact
from edge.model.spec import Head, StudentSpec
from edge.model.student import make_student, weights_of
from edge.scoring.student import INPUTS, input_spec
from edge.training.fit import Progress, train_locally
from edge.training.labelling import LabelOptions
from edge.training.lessons import Lesson
from edge.training.material import Material
from edge.training.plan import LocalPlan
from edge.training.teaching import NormalTeacher, PseudoLabels, Teacher

SEED = 0
CHECKPOINT_EVERY_S = 10.0
STAGES: Mapping[Head, int] = {"density": 1, "clap": 3, "temporal": 3}
WINDOW: Mapping[Head, int] = {"density": 1, "clap": 1, "temporal": 8}
NOISE = (0.2, 1.0)  # of ``density``, in spreads: below 0.2 it learns the trembling of boxes
PLANS: Mapping[Head, LocalPlan] = {
    "density": LocalPlan(optimiser="adam", learning_rate=1e-3, batch_rows=512, decay="cosine"),
    "clap": LocalPlan(optimiser="adam", learning_rate=1e-3, batch_rows=128, weight_decay=1e-4),
    "temporal": LocalPlan(optimiser="adam", learning_rate=1e-3, batch_rows=128, weight_decay=1e-4),
}
GOLDEN_SEQUENCES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A student at the end of its training, or where it was stopped."""

    spec: StudentSpec
    weights: Weights
    num_examples: int
    steps: int  # batches of the last stage
    loss: float  # mean of its last epoch
    complete: bool


def new_spec(head: Head, *, hidden: int) -> StudentSpec:
    """The student that a host of this program trains."""
    return StudentSpec(head, len(input_spec(head)), window=WINDOW[head], hidden=hidden, noise=NOISE)


def first_weights(spec: StudentSpec) -> Weights:
    """Where every training of a host, and every federation, begins."""
    return weights_of(make_student(spec, seed=SEED))


def make_teacher(
    head: Head, materials: Sequence[Material]
) -> tuple[Teacher, list[Material], dict[str, str]]:
    """The teacher of a host's cameras, the cameras it knows, and why not the others.

    Raises NotLearntError where no camera has shown enough.
    """
    parts: list[list[Floats]] = []
    known, left_out = [], {}
    for material in materials:
        try:
            seen = (
                [material.standardised(input_spec(head))]
                if head == "density"
                else material.videos()
            )
        except NotLearntError as error:
            left_out[material.camera] = str(error)
            continue
        parts.append(seen)
        known.append(material)
    if not known:
        raise NotLearntError("; ".join(left_out.values()) or "no camera has stored anything yet")
    videos = [video for part in parts for video in part]
    if head == "density":
        return NormalTeacher(np.concatenate(videos)), known, left_out
    # speeds and sizes are standardised already; only more than usual is strange
    return PseudoLabels(videos, LabelOptions(kind="excess"), seed=SEED), known, left_out


def study(
    spec: StudentSpec,
    teacher: Teacher,
    *,
    steps: int,
    folder: Path,
    should_stop: Callable[[], bool],
    on_progress: Callable[[float, float], None] = lambda _share, _loss: None,
) -> Taught:
    """Train from new weights for about ``steps`` batches; ``folder`` keeps the checkpoints.

    ``on_progress`` hears the share that is done, in (0, 1], and the loss. Raises NotLearntError
    where CLAP finds nothing that stands out: then there is nothing to tell apart.
    """
    if isinstance(teacher, PseudoLabels):
        _listen_to_itself(teacher)
    stages = STAGES[spec.head]
    weights = first_weights(spec)
    for stage in range(stages):
        lesson = teacher.lesson()

        def progress(done: Progress, stage: int = stage) -> None:
            on_progress((stage + done.epoch / done.epochs) / stages, done.loss)

        trained = train_locally(
            spec,
            weights,
            lesson,
            _plan(spec, lesson, steps / stages),
            seed=SEED + stage,
            progress=progress,
            should_stop=should_stop,
            checkpoint=folder / f"stage-{stage}.safetensors",
            checkpoint_every_s=CHECKPOINT_EVERY_S,
        )
        weights = trained.weights
        if not trained.complete:
            break
        teacher.review(spec, weights)
    return Taught(
        spec, weights, trained.num_examples, trained.steps, trained.loss, trained.complete
    )


def export(
    spec: StudentSpec,
    weights: Weights,
    lesson: Lesson,
    provenance: Mapping[str, str | int | float],
) -> Artifact:
    """The artifact of a trained student, with golden segments out of its lesson."""
    x = lesson.examples(spec.window).x
    chosen = np.linspace(0, len(x) - 1, min(len(x), GOLDEN_SEQUENCES)).round().astype(int)
    versions = [group.spec_version for group in INPUTS[spec.head]]
    return make_artifact(
        spec, weights, spec_versions=versions, golden_x=x[chosen], provenance=provenance
    )


def _listen_to_itself(teacher: PseudoLabels) -> None:
    """Alone, a host is its own federation."""
    report = teacher.report
    if not report.anomalous:
        raise NotLearntError(
            f"none of {report.videos} clips stands out ({report.undecided or 'all alike'}), so "
            "there is nothing to tell apart: use head: density, or wait for more footage"
        )
    own = teacher.statistics()
    teacher.hear([] if own is None else [own])


def _plan(spec: StudentSpec, lesson: Lesson, steps: float) -> LocalPlan:
    """As many epochs as ``steps`` batches need."""
    plan = PLANS[spec.head]
    sequences = len(lesson.examples(spec.window).x)
    batches = math.ceil(sequences / max(1, plan.batch_rows // spec.window))
    return replace(plan, epochs=max(1, math.ceil(steps / batches)))
