"""``vad-export distil``: a student of one backbone, taught by a teacher of several."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from edge.commands.report import progress_bar
from edge.errors import ConfigError, DatasetError
from edge.model.spec import StudentSpec
from export.commands.teacher import (
    checkpoint_of,
    constants_of,
    counting,
    provenance,
    read,
    refuse_existing,
    tell,
)
from export.dakd.features import FeatureSet
from export.dakd.folder import Training, load_training, save_training
from export.dakd.judge import judge
from export.dakd.network import NetworkSpec, as_network, network_of, student_weights
from export.dakd.options import DistilOptions
from export.dakd.teach import Teaching, teaching_of, train_student


def run(options: argparse.Namespace) -> int:
    """Train to the last epoch, store the student, and say how well it does."""
    refuse_existing(options.out)
    constants = constants_of(options, DistilOptions)
    teacher = _teacher(options, constants)
    backbones = dict.fromkeys([*(teacher.backbones if teacher else ()), options.backbone])
    features = read(options.features, list(backbones))
    own = features.of(options.backbone)
    spec = _spec(options, own.widths[0])
    teaching = _teaching(teacher, features, constants) if teacher else None
    checkpoint = checkpoint_of(options.out)
    with progress_bar("student", constants.epochs, "epoch") as bar:
        taught = train_student(
            as_network(spec),
            own,
            constants,
            teaching,
            seed=options.seed,
            checkpoint=checkpoint,
            told=counting(bar),
        )
    figures = judge(taught.network, own, window=spec.window)
    taught_by = ", ".join(teacher.backbones) if teacher else "video labels alone"
    facts = {**provenance(own, taught, figures, seed=options.seed), "teacher": taught_by}
    weights = student_weights(taught.network)
    save_training(options.out, Training(spec, own.backbones, weights, asdict(constants), facts))
    checkpoint.unlink(missing_ok=True)
    tell(options, own, taught, figures)
    return 0


def _spec(options: argparse.Namespace, inputs: int) -> StudentSpec:
    return StudentSpec(
        "dakd",
        inputs,
        window=options.window,
        hidden=options.hidden,
        attention_heads=options.attention_heads,
        reach=options.reach,
        causal=options.causal,
    )


def _teacher(options: argparse.Namespace, constants: DistilOptions) -> Training | None:
    if options.teacher is None:
        if constants.needs_teacher:
            raise ConfigError(
                "distil: name the teacher's folder with --teacher; a student without one has "
                "--predictions video-labels --alpha 0"
            )
        return None
    if not constants.needs_teacher:
        raise ConfigError(f"--teacher {options.teacher}: such a student asks none; leave it out")
    teacher = load_training(options.teacher)
    if isinstance(teacher.spec, StudentSpec):
        raise ConfigError(f"--teacher {options.teacher}: holds a student; vad-export teacher")
    return teacher


def _teaching(teacher: Training, features: FeatureSet, constants: DistilOptions) -> Teaching:
    seen = features.of(*teacher.backbones)
    assert isinstance(teacher.spec, NetworkSpec)
    if seen.widths != teacher.spec.widths:
        raise DatasetError(
            f"the teacher learnt features of widths {teacher.spec.widths}, those of "
            f"{', '.join(seen.backbones)} have {seen.widths}: extract them as it learnt them"
        )
    network = network_of(teacher.spec, teacher.weights)
    return teaching_of(network, seen, segments=constants.segments)
