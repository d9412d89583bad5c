"""``vad-export distil``: a student of one backbone, taught by a teacher of several."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial

from edge.errors import ConfigError, DatasetError, FeatureVersionError
from edge.model.spec import StudentSpec
from export.commands.given import refuse_existing
from export.commands.stages import (
    constants_of,
    finish,
    read,
    read_origins,
    sizes_of,
    train_to_end,
)
from export.dakd.features import FeatureSet
from export.dakd.folder import Training, load_training
from export.dakd.network import NetworkSpec, as_network, network_of, student_weights
from export.dakd.options import DistilOptions
from export.dakd.teach import Teaching, teaching_of, train_student
from export.extract.origin import Origin


def run(options: argparse.Namespace) -> int:
    """Train to the last epoch, store the student, and say how well it does."""
    refuse_existing(options.out)
    constants = constants_of(options, DistilOptions)
    teacher = _teacher(options, constants)
    backbones = dict.fromkeys([*(teacher.backbones if teacher else ()), options.backbone])
    origins = read_origins(options.features, list(backbones))
    if teacher:
        _check_alike(teacher, origins)
    features = read(options.features, list(backbones), judged=False)
    own = features.of(options.backbone)
    spec = _spec(options, own.widths[0])
    teaching = _teaching(teacher, features, constants) if teacher else None
    stage = partial(train_student, as_network(spec), own, constants, teaching)
    taught = train_to_end("student", stage, options, constants.epochs)
    training = Training(
        spec,
        own.backbones,
        (origins[options.backbone],),
        student_weights(taught.network),
        asdict(constants),
        provenance={"teacher": ", ".join(teacher.backbones) if teacher else "video labels alone"},
    )
    finish(options, training, taught, own)
    return 0


def _spec(options: argparse.Namespace, inputs: int) -> StudentSpec:
    return StudentSpec(
        "dakd",
        inputs,
        window=options.window,
        causal=options.causal,
        **sizes_of(options),
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


def _check_alike(teacher: Training, origins: Mapping[str, Origin]) -> None:
    """The teacher hears of the features that it learnt; raises FeatureVersionError."""
    for name, learnt in zip(teacher.backbones, teacher.origins, strict=True):
        if differences := learnt.differences(origins[name]):
            raise FeatureVersionError(
                f"--teacher: learnt other features than --features holds of {name}: {differences}: "
                "extract them as it learnt them, or train a teacher of these"
            )


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
