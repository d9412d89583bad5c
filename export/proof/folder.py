"""What is known of an exported folder: parity on every provider that is really there.

Networks are loaded from the folder as a host would load them, and compared with torch (the
student) and with what the original computed for golden pictures (the backbone).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from safetensors.numpy import load_file

from edge.domain.boxes import Floats
from edge.errors import ModelError
from edge.model import artifact as layout
from edge.model import backbone as backbone_layout
from edge.model.artifact import Artifact, load_artifact
from edge.model.backbone import LEAST_COSINE, Agreement, Backbone, GoldenClips, agreement
from edge.model.engine_cache import TENSORRT, find_device, find_engine
from edge.model.folder import read_files, read_manifest
from edge.model.runtime import (
    CPU,
    NEEDED_LIBRARIES,
    RUNTIME_ERRORS,
    lacking,
    open_session,
)
from edge.model.session import INPUT, SCORES
from export.proof.parity import Parity, Trial, trial_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """One provider's networks."""

    student: Parity
    backbone: Agreement | None  # of a student that looks at pixels
    least_cosine: float  # that the backbone's precision promises

    @property
    def ok(self) -> bool:
        """Whether they score the same."""
        seen = self.backbone is None or self.backbone.least_cosine >= self.least_cosine
        return self.student.ok and seen

    def as_json(self) -> dict[str, float | int | None]:
        """Plain values; what is no number is null, as is a backbone's where there is none."""
        figures = {
            "max_abs_error": self.student.max_abs_error,
            "rank_correlation": self.student.rank_correlation,
            "least_cosine": self.backbone.least_cosine if self.backbone else math.nan,
        }
        finite = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        return {**finite, "segments": self.student.segments}


@dataclass(frozen=True, slots=True)
class Findings:
    """Of a whole folder."""

    manifest: Mapping[str, Any]  # as it stands
    artifact: Artifact | None  # None: it does not load, or does not run
    providers: Mapping[str, Verdict]
    unverified: Mapping[str, str]  # providers that could not be tried, and why
    trouble: str = ""  # why it does not

    @property
    def ok(self) -> bool:
        """Whether everything that could be tried scores the same."""
        return not self.trouble and all(verdict.ok for verdict in self.providers.values())

    @property
    def failure(self) -> str:
        """Why it is not ok, in a few words."""
        failed = [_short(name) for name, verdict in self.providers.items() if not verdict.ok]
        return self.trouble or f"other scores than the original's on {', '.join(failed)}"

    def as_json(self) -> dict[str, Any]:
        """``providers``, ``unverified``, ``ok``, and what is wrong, if something is."""
        figures = {name: verdict.as_json() for name, verdict in self.providers.items()}
        wrong = {"trouble": self.trouble} if self.trouble else {}
        return {"providers": figures, "unverified": dict(self.unverified), "ok": self.ok, **wrong}

    def as_text(self) -> str:
        """A line for each provider."""
        lines = [f"FAIL  {self.trouble}"] if self.trouble else []
        for name, verdict in self.providers.items():
            figures = ", ".join(
                f"{what} {value:.3g}"
                for what, value in verdict.as_json().items()
                if value is not None
            )
            lines.append(f"{'ok  ' if verdict.ok else 'FAIL'}  {_short(name)}: {figures}")
        lines += [
            f"  –   {_short(name)}: unverified, {why}" for name, why in self.unverified.items()
        ]
        return "\n".join(lines)

    def manifest_after(self) -> dict[str, Any]:
        """The manifest with these findings in it."""
        found = self.as_json()
        return {**self.manifest, "providers": found["providers"], "unverified": found["unverified"]}


def examine(folder: Path) -> Findings:
    """Try an exported student on every provider that is there.

    Raises ModelError where the folder is missing, foreign, or holds other files than its manifest
    vouches for. A folder whose own files do not make a student that scores its golden segments is
    a finding, not an error.
    """
    manifest = read_manifest(folder, layout.FORMAT, layout.FILES)
    read_files(folder, manifest)
    try:
        artifact = load_artifact(folder)
        verdicts, unverified = _tried(folder, artifact)
    except ModelError as error:
        return Findings(manifest, None, {}, {}, str(error))
    return Findings(manifest, artifact, verdicts, unverified)


class _NotTriedError(Exception):
    """A provider that is not there, or refuses to run a network; says why."""


class _BackboneOn(Backbone):
    """The same network on one provider alone."""

    def __init__(self, backbone: Backbone, provider: str) -> None:
        super().__init__(backbone.folder, backbone.spec, backbone.version)
        self._session = _started(backbone.folder / backbone_layout.GRAPH, provider)


def _tried(folder: Path, artifact: Artifact) -> tuple[dict[str, Verdict], dict[str, str]]:
    """Verdicts by provider, and why the others have none; raises ModelError."""
    trial = trial_of(artifact)
    verdicts: dict[str, Verdict] = {}
    unverified: dict[str, str] = {}
    for provider in (CPU, *NEEDED_LIBRARIES):
        try:
            _check_there(provider, folder, artifact)
            verdicts[provider] = _verdict(folder, artifact, trial, provider)
        except _NotTriedError as error:
            unverified[provider] = str(error)
    return verdicts, unverified


def _check_there(provider: str, folder: Path, artifact: Artifact) -> None:
    """TensorRT is there with its engines only: building them takes minutes."""
    if (reason := lacking(provider)) is not None:
        raise _NotTriedError(reason)
    if provider != TENSORRT:
        return
    device = find_device()
    if device is None:
        raise _NotTriedError("no CUDA GPU")
    graphs = [folder / layout.GRAPH]
    if artifact.eyes is not None:
        graphs.append(artifact.eyes.backbone.folder / backbone_layout.GRAPH)
    if not all(find_engine(graph, device) for graph in graphs):
        raise _NotTriedError(f"no engine for {device.gpu}: `vad-export tensorrt` builds it")


def _verdict(folder: Path, artifact: Artifact, trial: Trial, provider: str) -> Verdict:
    student = _student_on(folder, artifact, trial, provider)
    if artifact.eyes is None:
        return Verdict(student, None, 0.0)
    backbone = _BackboneOn(artifact.eyes.backbone, provider)
    golden = load_file(backbone.folder / backbone_layout.GOLDEN)
    found = agreement(backbone, GoldenClips(golden["clips"], golden["embeddings"]))
    return Verdict(student, found, _least_cosine(backbone, provider))


def _least_cosine(backbone: Backbone, provider: str) -> float:
    """What is promised: by its own precision, or by that of an engine in 16-bit floats."""
    promised = LEAST_COSINE[backbone.spec.precision]
    graph = backbone.folder / backbone_layout.GRAPH
    engine = find_engine(graph, find_device()) if provider == TENSORRT else None
    in_fp16 = engine is not None and engine["trt_fp16_enable"] == "1"
    return min(promised, LEAST_COSINE["fp16"]) if in_fp16 else promised


def _student_on(folder: Path, artifact: Artifact, trial: Trial, provider: str) -> Parity:
    """On the CPU by the very session that hosts run."""
    if provider == CPU:
        return trial.parity(artifact.session().scores)
    session = _started(folder / layout.GRAPH, provider)

    def scores(x: Floats) -> Floats:
        try:
            (found,) = session.run([SCORES], {INPUT: np.ascontiguousarray(x)})
        except RUNTIME_ERRORS as error:
            raise _NotTriedError(str(error).splitlines()[0]) from error
        return np.asarray(found, np.float32)

    return trial.parity(scores, provider=provider)


def _started(graph: Path, provider: str) -> ort.InferenceSession:
    session = open_session(graph, only=provider)
    if session.get_providers()[0] != provider:
        raise _NotTriedError(f"it did not start for {graph.name}: check that CUDA and cuDNN fit")
    return session


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider")
