"""The artifact: a folder that holds one student, as learning and federation hand it to scoring.

::

    manifest.json         what it is, for which features, where it comes from, sha256 of the rest
    student.onnx          the graph; its initialisers have the state-dict names and lie in
    weights.safetensors   the weights, so that any ONNX tool opens the folder as it is
    golden.safetensors    a few segments and the scores that training computed for them

Read strictly and without torch. Nobody gets an artifact whose graph does not reproduce the golden
scores: it is neither saved nor loaded. Folders appear whole, by renaming.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edge.atomic import refused
from edge.domain.boxes import Floats
from edge.domain.weights import Weights, shapes_of
from edge.errors import FeatureVersionError, ModelError
from edge.model.session import StudentSession
from edge.model.spec import StudentSpec, check_weights

FORMAT = "vad-student-1"
OPSET = 17  # of the graph
TOLERANCE = 1e-4  # between the golden scores and the graph's; float32 on another processor
MANIFEST, GRAPH, WEIGHTS, GOLDEN = (
    "manifest.json",
    "student.onnx",
    "weights.safetensors",
    "golden.safetensors",
)
FILES = {GRAPH, WEIGHTS, GOLDEN}  # that the manifest vouches for


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """Segments and what the student must say of them."""

    x: Floats  # (B, L, d)
    scores: Floats  # (B, L)


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """One student that may be used once ``checked`` has passed."""

    spec: StudentSpec
    spec_versions: tuple[str, ...]  # of the feature groups whose values are its d inputs, in order
    graph: bytes  # ONNX without values
    weights: Weights
    golden: Golden
    provenance: Mapping[str, str | int | float]  # round, camera, time: for people to read

    @property
    def version(self) -> str:
        """A short name for these very weights and this graph."""
        return _sha256(_weights_bytes(self.weights) + self.graph)[:12]

    def session(self, weights: Weights | None = None) -> StudentSession:
        """Ready to score, with its own or with other weights of the same names and shapes.

        Raises ModelError where other weights do not fit or score nothing finite.
        """
        if weights is not None:
            check_weights(weights, shapes_of(self.weights), where="student")
        session = StudentSession(self.graph, self.weights if weights is None else weights)
        if not np.isfinite(session.scores(self.golden.x)).all():
            raise ModelError("student: scores of the golden segments are not finite")
        return session

    def with_weights(
        self, weights: Weights, scores: Floats, provenance: Mapping[str, str | int | float]
    ) -> Artifact:
        """The same student with new weights; ``scores`` (B, L) of the golden segments by torch."""
        golden = Golden(self.golden.x, scores)
        return replace(self, weights=weights, golden=golden, provenance=provenance)

    def checked(self) -> StudentSession:
        """A session, after parity with the golden scores; raises ModelError without it."""
        session = self.session()
        error = parity_error(session, self.golden)
        allowed = TOLERANCE * max(1.0, float(np.abs(self.golden.scores).max(initial=0)))
        if not error <= allowed:
            raise ModelError(
                f"student: golden scores are missed by {error:.2g}, allowed are {allowed:.2g}: "
                "graph and weights are not of one student; export it again"
            )
        return session


def parity_error(session: StudentSession, golden: Golden) -> float:
    """Largest absolute difference of a golden score; raises ModelError where they are no pair."""
    scores = session.scores(golden.x)
    if scores.shape != golden.scores.shape:
        raise ModelError(f"student: {scores.shape} scores for {golden.scores.shape} golden ones")
    return float(np.abs(scores - golden.scores).max(initial=0))


def save_artifact(folder: Path, artifact: Artifact) -> None:
    """Check the artifact, write it beside, rename it into place; ``folder`` must not exist yet.

    Raises ModelError where it fails the golden check, StorageError where it cannot be written.
    """
    error = parity_error(artifact.checked(), artifact.golden)
    files = {
        GRAPH: artifact.graph,
        WEIGHTS: _weights_bytes(artifact.weights),
        GOLDEN: save({"x": artifact.golden.x, "scores": artifact.golden.scores}),
    }
    manifest = _manifest(artifact, files, error)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, payload in {**files, MANIFEST: json.dumps(manifest, indent=1).encode()}.items():
            _write(partial / name, payload)
        partial.rename(folder)
    except OSError as problem:
        shutil.rmtree(partial, ignore_errors=True)
        raise refused(folder, problem) from problem


def load_artifact(folder: Path, spec_versions: Sequence[str]) -> Artifact:
    """Read and check an artifact for a program that computes these feature groups.

    Raises ModelError for a missing, damaged or foreign one and where the golden check fails,
    FeatureVersionError where it was trained on other features.
    """
    manifest = _read_manifest(folder)
    files = {name: _read_file(folder, name, digest) for name, digest in manifest["files"].items()}
    try:
        golden = load(files[GOLDEN])
        artifact = Artifact(
            spec=StudentSpec.from_json(manifest["student"]),
            spec_versions=tuple(map(str, manifest["spec_versions"])),
            graph=files[GRAPH],
            weights=load(files[WEIGHTS]),
            golden=Golden(golden["x"], golden["scores"]),
            provenance=dict(manifest["provenance"]),
        )
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise _damaged(folder, f"incomplete ({error})") from error
    if artifact.spec_versions != tuple(spec_versions):
        raise FeatureVersionError(
            f"{folder}: learnt with {', '.join(artifact.spec_versions)}, "
            f"this program computes {', '.join(spec_versions)}; learn anew"
        )
    check_weights(artifact.weights, shapes_of(artifact.weights), where=str(folder))
    artifact.checked()
    return artifact


def _manifest(artifact: Artifact, files: Mapping[str, bytes], error: float) -> dict[str, Any]:
    spec = artifact.spec
    return {
        "format": FORMAT,
        "student": spec.as_json(),
        "spec_versions": list(artifact.spec_versions),
        "input": {"name": "x", "shape": ["B", "L", spec.inputs], "dtype": "float32"},
        "opset": OPSET,
        "golden": {"segments": int(artifact.golden.scores.size), "max_abs_error": error},
        "files": {name: _sha256(payload) for name, payload in files.items()},
        "provenance": dict(artifact.provenance),
    }


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT or dict(manifest["files"]).keys() != FILES:
            raise _damaged(folder, f"not an artifact of format {FORMAT}")
    except OSError as error:
        raise ModelError(f"{folder}: no student's artifact: {error.strerror or error}") from error
    except (LookupError, TypeError, ValueError) as error:
        raise _damaged(folder, f"{MANIFEST} does not parse ({error})") from error
    return dict(manifest)


def _read_file(folder: Path, name: str, digest: str) -> bytes:
    try:
        payload = (folder / name).read_bytes()
    except OSError as error:
        raise _damaged(folder, f"{name} cannot be read: {error.strerror or error}") from error
    if _sha256(payload) != digest:
        raise _damaged(folder, f"{name} is not the file that the manifest names")
    return payload


def _weights_bytes(weights: Weights) -> bytes:
    return save({name: np.ascontiguousarray(weights[name]) for name in sorted(weights)})


def _write(path: Path, payload: bytes) -> None:
    with path.open("wb") as file:
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())


def _sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def _damaged(folder: Path, what: str) -> ModelError:
    return ModelError(f"{folder}: damaged or foreign: {what}; learn or fetch the model again")
