"""``vad-export onnx``: what was trained into the folder that a camera host runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge.commands.report import answer
from edge.errors import ConfigError, FeatureVersionError, ModelError
from edge.features import scene_segment
from edge.features.embedding import Look, View, embedding_spec
from edge.model import backbone as backbone_layout
from edge.model.artifact import Artifact, Eyes, save_artifact
from edge.model.backbone import load_backbone
from edge.model.export import make_artifact
from edge.model.folder import read_manifest
from edge.model.signature import sign_folder, signer
from edge.model.spec import StudentSpec
from edge.scoring.student import StudentTerm
from export.dakd.folder import Facts, Training, load_training
from export.extract.shelf import RECORD, read_record
from export.proof.golden import drawn_segments, real_segments
from export.proof.parity import Parity, trial_of


def run(options: argparse.Namespace) -> int:
    """Export, hold against torch, and only then write."""
    if options.out.exists():
        raise ConfigError(f"--out {options.out}: is there already; name another, or delete it")
    sign = signer(options.key) if options.key else None
    training = load_training(options.training)
    eyes = _eyes(options.backbone, options.view)
    features = _features(options.features, training.backbones)
    artifact = make(training, eyes, features, source=options.training)
    parity = check(artifact)
    save_artifact(options.out, artifact)
    if sign is not None:
        sign_folder(options.out, sign)
    _tell(options, artifact, parity)
    return 0


def make(training: Training, eyes: Eyes | None, features: Path | None, *, source: Path) -> Artifact:
    """A student that fits what its host will measure; ``source`` names the training.

    Raises ConfigError for a teacher, FeatureVersionError and ModelError where the features are
    others than it learnt, DatasetError where there are none.
    """
    spec = training.spec
    if not isinstance(spec, StudentSpec):
        raise ConfigError(f"{source}: holds a teacher: `vad-export distil` makes a student of it")
    versions = _versions(eyes)
    if features is not None:
        _check_extracted(features, versions, eyes)
    golden = real_segments(features, spec) if features else drawn_segments(spec, training.weights)
    licences, facts = _origin(eyes)
    artifact = make_artifact(
        spec,
        training.weights,
        spec_versions=versions,
        golden_x=golden,
        provenance={
            "training": source.resolve().name,
            "backbones": ", ".join(training.backbones),
            **training.provenance,
            **{f"distil {name}": value for name, value in training.options.items()},
            **{f"backbone {name}": value for name, value in facts.items()},
        },
    )
    return replace(artifact, eyes=eyes, licences=tuple(licences))


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


def _eyes(folder: Path | None, view: View | None) -> Eyes | None:
    if folder is None:
        if view is not None:
            raise ConfigError("--view goes with --backbone FOLDER: descriptors have no view")
        return None
    backbone = load_backbone(folder)
    return Eyes(backbone, Look.of(view or "picture", backbone))


def _versions(eyes: Eyes | None) -> tuple[str, ...]:
    """Of the feature groups that the student will read."""
    groups = (embedding_spec(eyes.backbone, eyes.look),) if eyes else scene_segment.SPECS
    return tuple(group.spec_version for group in groups)


def _features(root: Path | None, backbones: Sequence[str]) -> Path | None:
    """The folder of the student's own backbone in, or as, what extraction wrote."""
    if root is None or (root / RECORD).is_file():
        return root
    return root / backbones[0]


def _check_extracted(features: Path, versions: Sequence[str], eyes: Eyes | None) -> None:
    record = read_record(features)
    if record is None:
        raise ConfigError(
            f"--features {features}: no {RECORD}: name what `vad-export extract` wrote"
        )
    learnt = record.get("spec_versions")
    if learnt != list(versions):
        seen = (
            f"backbone {eyes.backbone.spec.name}, view {eyes.look.view}" if eyes else "no backbone"
        )
        raise FeatureVersionError(
            f"{features}: holds {learnt}, made by {record.get('backbone', 'no backbone')} with "
            f"look {record.get('look')}; a host with {seen} would measure {list(versions)}: name "
            "the --backbone and --view that the student learnt with"
        )


def _origin(eyes: Eyes | None) -> tuple[list[str], Facts]:
    """Licences and provenance of the backbone."""
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
