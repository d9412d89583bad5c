"""A training folder: what a stage has learnt, as the next stage and the export take it.

::

    manifest.json         the format, and the sha256 of the rest
    training.json         which network, of which backbones' features, learnt how and from what
    weights.safetensors   its weights under their state-dict names

Read strictly; appears whole, by renaming.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edge.domain.weights import Weights
from edge.errors import ModelError
from edge.model.folder import damaged, read_files, read_manifest, sha256, write_folder
from edge.model.spec import StudentSpec
from export.dakd.network import NetworkSpec, network_of
from export.extract.origin import Origin

FORMAT = "vad-distilling-2"
TRAINING, WEIGHTS = "training.json", "weights.safetensors"

Facts: TypeAlias = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A trained network; a teacher has a NetworkSpec, a student is one that a host can run."""

    spec: StudentSpec | NetworkSpec
    backbones: tuple[str, ...]  # whose raw features it reads, in this order
    origins: tuple[Origin, ...]  # of each backbone's features, as it learnt them
    weights: Weights
    options: Facts  # every constant that it was trained with
    provenance: Facts  # seed, data, versions: for people to read

    @property
    def widths(self) -> tuple[int, ...]:
        """d_t of each backbone."""
        return (self.spec.inputs,) if isinstance(self.spec, StudentSpec) else self.spec.widths


def save_training(folder: Path, training: Training) -> None:
    """Write the folder, which must not exist yet.

    Raises ModelError where weights and spec do not fit, StorageError where the disk refuses.
    """
    network_of(training.spec, training.weights)
    weights = {name: np.ascontiguousarray(training.weights[name]) for name in training.weights}
    described = {
        "kind": "student" if isinstance(training.spec, StudentSpec) else "teacher",
        "spec": training.spec.as_json(),
        "backbones": list(training.backbones),
        "origins": [origin.as_json() for origin in training.origins],
        "widths": list(training.widths),
        "options": dict(training.options),
        "provenance": dict(training.provenance),
    }
    files = {TRAINING: json.dumps(described, indent=1).encode(), WEIGHTS: save(weights)}
    digests = {name: sha256(content) for name, content in files.items()}
    write_folder(folder, files, lambda _: {"format": FORMAT, "files": digests})


def load_training(folder: Path) -> Training:
    """Read a folder; raises ModelError for a missing, damaged or foreign one."""
    files = read_files(folder, read_manifest(folder, FORMAT, (TRAINING, WEIGHTS)))
    try:
        described: dict[str, Any] = json.loads(files[TRAINING])
        spec = SPECS[described["kind"]].from_json(described["spec"])
        training = Training(
            spec=spec,
            backbones=tuple(map(str, described["backbones"])),
            origins=tuple(map(Origin.from_json, described["origins"])),
            weights=load(files[WEIGHTS]),
            options=dict(described["options"]),
            provenance=dict(described["provenance"]),
        )
        fits = list(training.widths) == described["widths"]
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise damaged(folder, f"incomplete ({error})") from error
    counts = {len(training.widths), len(training.backbones), len(training.origins)}
    if not fits or len(counts) > 1:
        raise damaged(folder, "backbones, origins, widths and spec do not belong together")
    try:
        network_of(spec, training.weights)
    except ModelError as error:
        raise damaged(folder, str(error)) from error
    return training


SPECS: Mapping[str, type[StudentSpec] | type[NetworkSpec]] = {
    "student": StudentSpec,
    "teacher": NetworkSpec,
}
"""By the kind that ``training.json`` names."""
