"""``vad-export teacher``: learn to tell abnormal videos, seen through several backbones."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial

from edge.model.student import weights_of
from export.commands.given import refuse_existing
from export.commands.stages import (
    constants_of,
    finish,
    read,
    read_origins,
    sizes_of,
    train_to_end,
)
from export.dakd.folder import Training
from export.dakd.network import NetworkSpec
from export.dakd.options import TeacherOptions
from export.dakd.teach import train_teacher


def run(options: argparse.Namespace) -> int:
    """Train to the last epoch, store the network, and say how well it does."""
    refuse_existing(options.out)
    constants = constants_of(options, TeacherOptions)
    origins = read_origins(options.features, options.backbones)
    features = read(options.features, options.backbones, judged=False)
    spec = NetworkSpec(features.widths, **sizes_of(options))
    stage = partial(train_teacher, spec, features, constants)
    taught = train_to_end("teacher", stage, options, constants.epochs)
    training = Training(
        spec,
        features.backbones,
        tuple(origins.values()),
        weights_of(taught.network),
        asdict(constants),
        provenance={},
    )
    finish(options, training, taught, features)
    return 0
