"""The artifact: a folder that holds one student, as it travels between programs.

::

    manifest.json         what it is, for which features, where it comes from, sha256 of the rest
    student.onnx          the graph; its initialisers have the state-dict names and lie in
    weights.safetensors   the weights, so that any ONNX tool opens the folder as it is
    golden.safetensors    a few segments and the scores that training computed for them
    backbone/             only of a student that looks at pixels (``edge.model.backbone``)

Read strictly and without torch. Nobody gets an artifact whose graph does not reproduce the golden
scores: it is neither saved nor loaded. Folders appear whole, by renaming.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edge.domain.boxes import Floats
from edge.domain.weights import Weights, shapes_of
from edge.errors import ModelError
from edge.features.embedding import Look
from edge.model.backbone import Backbone, load_backbone
from edge.model.folder import (
    MANIFEST,
    damaged,
    read_files,
    read_folder,
    read_manifest,
    sha256,
    write_folder,
)
from edge.model.runtime import CPU
from edge.model.session import StudentSession
from edge.model.spec import StudentSpec, check_weights

FORMAT = "vad-student-2"
OPSET = 17  # of the graph
TOLERANCE = 1e-4  # between the golden scores and the graph's; float32 on another processor
GRAPH, WEIGHTS, GOLDEN = "student.onnx", "weights.safetensors", "golden.safetensors"
BACKBONE = "backbone"
FILES = {GRAPH, WEIGHTS, GOLDEN}  # that the manifest vouches for, beside a backbone's


@dataclass(frozen=True, slots=True, eq=False)
class Eyes:
    """What a student looks through, and at what."""

    backbone: Backbone
    look: Look


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the footage was seen that a student learnt from: a host should see alike."""

    analysis_hz: float  # frames looked at in a second
    max_width_px: int  # of such a frame

    def __post_init__(self) -> None:
        """Refuse what no camera can be sampled by; raises ModelError."""
        rate = isinstance(self.analysis_hz, int | float) and 0 < self.analysis_hz < math.inf
        if not rate or type(self.max_width_px) is not int or self.max_width_px < 1:
            raise ModelError(f"{self}: both must be numbers above 0")


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
    eyes: Eyes | None = None  # None: it reads what a host measures anyway
    licences: tuple[str, ...] = ()  # of what it was made from, where that matters to a user
    sampling: Sampling | None = None  # None: it learnt on the very cameras that it judges

    @property
    def version(self) -> str:
        """A short name for these very weights and this graph, and what they look through."""
        seen = f"{self.eyes.backbone.version} {self.eyes.look}" if self.eyes else ""
        return sha256(_weights_bytes(self.weights) + self.graph + seen.encode())[:12]

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
    if artifact.eyes is not None:
        seen = read_folder(artifact.eyes.backbone.folder)
        files |= {f"{BACKBONE}/{name}": content for name, content in seen.items()}
    write_folder(folder, files, lambda _: _manifest(artifact, files, error))


def load_artifact(folder: Path) -> Artifact:
    """Read and check an artifact; whether its features are computed here is the reader's to ask.

    Raises ModelError for a missing, damaged or foreign one and where the golden check fails.
    """
    manifest = read_manifest(folder, FORMAT, FILES)
    files = read_files(folder, manifest)
    try:
        golden = load(files[GOLDEN])
        artifact = Artifact(
            spec=StudentSpec.from_json(manifest["student"]),
            spec_versions=_texts(manifest["spec_versions"]),
            graph=files[GRAPH],
            weights=load(files[WEIGHTS]),
            golden=Golden(golden["x"], golden["scores"]),
            provenance=dict(manifest["provenance"]),
            eyes=_eyes(folder, manifest),
            licences=_texts(manifest["licences"]),
            sampling=_sampling(manifest),
        )
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise damaged(folder, f"incomplete ({error})") from error
    check_weights(artifact.weights, shapes_of(artifact.weights), where=str(folder))
    artifact.checked()
    return artifact


def _texts(found: object) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise TypeError(f"{found!r} is no list of texts")
    return tuple(found)


def _eyes(folder: Path, manifest: Mapping[str, Any]) -> Eyes | None:
    """Raises ModelError, LookupError or TypeError where they are none."""
    if manifest["look"] is None:
        return None
    if f"{BACKBONE}/{MANIFEST}" not in manifest["files"]:
        raise damaged(folder, f"{MANIFEST} does not vouch for {BACKBONE}/")
    return Eyes(load_backbone(folder / BACKBONE), Look(**manifest["look"]))


def _sampling(manifest: Mapping[str, Any]) -> Sampling | None:
    """Raises ModelError or TypeError where it is none."""
    written = manifest.get("sampling")  # written only where somebody knows
    return None if written is None else Sampling(**written)


def _manifest(artifact: Artifact, files: Mapping[str, bytes], error: float) -> dict[str, Any]:
    spec = artifact.spec
    sampling = {"sampling": asdict(artifact.sampling)} if artifact.sampling else {}
    return {
        "format": FORMAT,
        "student": spec.as_json(),
        "spec_versions": list(artifact.spec_versions),
        "input": {"name": "x", "shape": ["B", "L", spec.inputs], "dtype": "float32"},
        "look": asdict(artifact.eyes.look) if artifact.eyes else None,
        **sampling,
        "opset": OPSET,
        "golden": {"segments": int(artifact.golden.scores.size), "max_abs_error": error},
        "providers": {CPU: {"max_abs_error": error}},  # on which it was seen to score the same
        "files": {name: sha256(content) for name, content in files.items()},
        "licences": list(artifact.licences),
        "provenance": dict(artifact.provenance),
    }


def _weights_bytes(weights: Weights) -> bytes:
    return save({name: np.ascontiguousarray(weights[name]) for name in sorted(weights)})
