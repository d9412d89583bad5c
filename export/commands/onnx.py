"""``vad-export onnx``: what was trained into the folder that a camera host runs."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from edge.commands.report import answer
from edge.domain.boxes import Floats
from edge.errors import ConfigError, FeatureVersionError, ModelError
from edge.features import scene_segment
from edge.features.embedding import embedding_spec
from edge.model import backbone as backbone_layout
from edge.model.artifact import Artifact, Eyes, save_artifact
from edge.model.backbone import load_backbone
from edge.model.export import make_artifact
from edge.model.folder import read_manifest
from edge.model.signature import sign_folder, signer
from edge.model.spec import StudentSpec
from edge.scoring.student import StudentTerm
from export.commands.given import refuse_existing
from export.dakd.folder import Facts, Training, load_training
from export.extract.origin import Origin, read_origin
from export.extract.shelf import RECORD
from export.proof.golden import drawn_segments, real_segments
from export.proof.parity import Parity, trial_of


def run(options: argparse.Namespace) -> int:
    """Export, hold against torch, and only then write."""
    refuse_existing(options.out)
    sign = signer(options.key) if options.key else None
    training = load_training(options.training)
    artifact = make(training, options.backbone, options.features, source=options.training)
    parity = check(artifact)
    save_artifact(options.out, artifact)
    if sign is not None:
        sign_folder(options.out, sign)
    _tell(options, artifact, parity)
    return 0


def make(
    training: Training, backbone: Path | None, features: Path | None, *, source: Path
) -> Artifact:
    """A student that fits what its host will measure; ``source`` names the training.

    ``backbone`` is the folder that it looks through, ``features`` give its golden segments.
    Raises ConfigError for a teacher, or where a backbone is lacking or none is needed,
    FeatureVersionError and ModelError where the features are others than it learnt, DatasetError
    where there are none.
    """
    spec = training.spec
    if not isinstance(spec, StudentSpec):
        raise ConfigError(f"{source}: holds a teacher: `vad-export distil` makes a student of it")
    (name,), (origin,) = training.backbones, training.origins
    eyes = _eyes(backbone, origin, name)
    versions = _versions(eyes, origin, name)
    golden = _golden(features, training, spec)
    licences, facts = _of_backbone(eyes)
    artifact = make_artifact(
        spec,
        training.weights,
        spec_versions=versions,
        golden_x=golden,
        provenance={
            "training": source.resolve().name,
            "backbones": name,
            **training.provenance,
            **{f"distil {name}": value for name, value in training.options.items()},
            **{f"backbone {name}": value for name, value in facts.items()},
        },
    )
    return replace(artifact, eyes=eyes, licences=tuple(licences), sampling=origin.sampling)


def check(artifact: Artifact) -> Parity:
    """As a host will ask, and in many shapes; raises ModelError and FeatureVersionError."""
    student = StudentTerm.of(artifact)
    parity = trial_of(artifact).parity(student.session.scores)
    if not parity.ok:
        raise ModelError(
            f"export: the graph's scores differ from torch's by {parity.max_abs_error:.2g}, "
            f"allowed are {parity.allowed:.2g}: nothing was written"
        )
    return parity


def _eyes(folder: Path | None, learnt: Origin, name: str) -> Eyes | None:
    """The backbone, to be shown what the student learnt from; None: it reads descriptors."""
    if learnt.look is None:
        if folder is not None:
            raise ConfigError(f"--backbone {folder}: the student reads {name}; leave it out")
        return None
    if folder is None:
        raise ConfigError(f"name --backbone FOLDER: the student looks through {name}")
    return Eyes(load_backbone(folder), learnt.look)


def _versions(eyes: Eyes | None, learnt: Origin, name: str) -> tuple[str, ...]:
    """What a host will measure: what was learnt, if in another precision of the same network.

    How much another precision costs, ``vad-export verify --against`` says. Raises
    FeatureVersionError for anything else.
    """
    if eyes is None:
        measured, known = tuple(spec.spec_version for spec in scene_segment.SPECS), False
    else:
        measured = (embedding_spec(eyes.backbone, eyes.look).spec_version,)
        known = eyes.backbone.network is not None and eyes.backbone.network == learnt.network
    if not known and measured != learnt.spec_versions:
        seen = f"--backbone {eyes.backbone.folder}" if eyes else "this program"
        raise FeatureVersionError(
            f"the student learnt {', '.join(learnt.spec_versions)}; with {seen} a host would "
            f"measure {', '.join(measured)}: name the very {name} that its features were "
            "extracted with, in whatever precision, or extract and distil anew"
        )
    return measured


def _golden(root: Path | None, training: Training, spec: StudentSpec) -> Floats:
    """Segments of the features that it learnt, if they are given, or drawn ones."""
    if root is None:
        return drawn_segments(spec, training.weights)
    folder = root if (root / RECORD).is_file() else root / training.backbones[0]
    if differences := training.origins[0].differences(read_origin(folder)):
        raise FeatureVersionError(
            f"--features {folder}: holds others than the student learnt: {differences}"
        )
    return real_segments(folder, spec)


def _of_backbone(eyes: Eyes | None) -> tuple[list[str], Facts]:
    """Its licences and provenance."""
    if eyes is None:
        return [], {}
    layout = backbone_layout
    manifest = read_manifest(eyes.backbone.folder, layout.FORMAT, layout.FILES)
    return list(map(str, manifest["licences"])), dict(manifest["provenance"])


def _tell(options: argparse.Namespace, artifact: Artifact, parity: Parity) -> None:
    figures = {
        "out": str(options.out),
        "version": artifact.version,
        "head": artifact.spec.head,
        "window": artifact.spec.window,
        "inputs": artifact.spec.inputs,
        "spec_versions": list(artifact.spec_versions),
        "golden_segments": int(artifact.golden.scores.size),
        "segments": parity.segments,
        "max_abs_error": parity.max_abs_error,
        "rank_correlation": parity.rank_correlation,
        "licences": list(artifact.licences),
        "signed": options.key is not None,
    }
    text = (
        f"{options.out}: student {artifact.version}, {parity.segments} segments score the same as "
        f"in torch to {parity.max_abs_error:.2g}"
    )
    answer(figures, as_json=options.format == "json", text=text)
