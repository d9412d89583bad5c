"""One file per camera: arrays as safetensors, the rest as JSON in its header.

A student is named there, not kept: it lives once for all cameras that were calibrated with it. So
is a word model.

Read strictly: a damaged or foreign file is refused with a clear message, never half-used.
Written atomically: whoever reads sees the old file or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from edge.atomic import write_atomically
from edge.domain.features import FeatureSpec
from edge.errors import FeatureVersionError, ModelError
from edge.scoring.calibration import BudgetThreshold, TailCalibration
from edge.scoring.model import CameraModel, ScoringOptions, Term
from edge.scoring.normality import kind_of
from edge.scoring.standardise import Standardiser
from edge.scoring.student import StudentTerm
from edge.scoring.words import WordNormality, Words

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]

FORMAT = "vad-edge-camera-1"


def save_camera_model(path: Path, model: CameraModel) -> None:
    """Write the model; raises StorageError, and then what was stored before is still there."""
    payload = save(_arrays(model), metadata={"format": FORMAT, "model": json.dumps(_header(model))})
    write_atomically(path, payload)


def load_camera_model(
    path: Path,
    specs: Iterable[FeatureSpec],
    *,
    student: StudentTerm | None = None,
    words: Words | None = None,
) -> CameraModel:
    """Read the model of one camera; ``specs`` are the feature groups this program computes.

    ``student`` and ``words``: those that the camera was calibrated with; None: it has none. Raises
    ModelError for a missing, damaged or foreign file and for another student or word model,
    FeatureVersionError when the camera was learnt with features of another version.
    """
    header, arrays = _read(path)
    _demand(path, "student", header.get("student"), student.version if student else None)
    _demand(path, "words", header.get("words"), words.version if words else None)
    known = {spec.spec_version: spec for spec in specs}
    try:
        return _model(header, arrays, known, student, words)
    except FeatureVersionError as error:
        raise FeatureVersionError(f"{path}: {error}; learn the camera anew") from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, f"incomplete ({error})") from error


def _demand(path: Path, what: str, named: object, given: str | None) -> None:
    """What the camera was calibrated with must be what it is to be used with."""
    if named != given:
        raise ModelError(
            f"{path}: calibrated with {what} {named or 'none'}, not {given or 'none'}: "
            "use it with its own, or learn the camera anew"
        )


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise _damaged(path, f"not a camera model of format {FORMAT}")
            header: dict[str, Any] = json.loads(metadata["model"])
            arrays: Arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file: learn the camera first") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, ValueError, KeyError) as error:
        raise _damaged(path, str(error)) from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all() and "log_floor" not in name:
            raise _damaged(path, f"{name} holds values that are not finite")
    return header, arrays


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(f"{path}: damaged or foreign: {what}; delete it and learn the camera anew")


def _header(model: CameraModel) -> dict[str, Any]:
    student = {"student": model.student.version} if model.student else {}  # its term is the last
    words = {"words": model.words.version} if model.words else {}
    return (
        student
        | words
        | {
            "camera": model.camera,
            "spec_versions": list(model.spec_versions),
            "options": asdict(model.options),
            "budget": asdict(model.budget),
            "learnt_from_s": model.learnt_from_s,
            "created_s": model.created_s,
        }
    )


def _arrays(model: CameraModel) -> Arrays:
    parts: Arrays = {f"evidence.{k}": v for k, v in model.evidence.state().items()}
    for order, term in enumerate(model.terms):
        for name in ("standardiser", "normality", "calibration", "level"):
            part = getattr(term, name)  # words are compared without a standardiser
            state = {} if part is None else part.state()
            parts |= {f"{order}.{name}.{k}": np.ascontiguousarray(v) for k, v in state.items()}
    return parts


def _model(
    header: dict[str, Any],
    arrays: Arrays,
    specs: Mapping[str, FeatureSpec],
    student: StudentTerm | None,
    words: Words | None,
) -> CameraModel:
    options = ScoringOptions(**header["options"])
    versions = list(header["spec_versions"])
    if student is not None and versions.pop() != student.features.spec_version:
        raise ValueError(f"its last term is not of student {student.version}")
    terms = [
        _words_term(str(order), arrays, words)
        if words is not None and version == words.features.spec_version
        else _term(str(order), _known(version, specs), arrays, options)
        for order, version in enumerate(versions)
    ]
    if student is not None:
        terms.append(_term(str(len(terms)), student.features, arrays, options, student))
    return CameraModel(
        camera=str(header["camera"]),
        terms=tuple(terms),
        evidence=TailCalibration.from_state(_state(arrays, "evidence.")),
        budget=BudgetThreshold(**header["budget"]),
        options=options,
        learnt_from_s=float(header["learnt_from_s"]),
        created_s=float(header["created_s"]),
        words=words,
    )


def _known(version: str, specs: Mapping[str, FeatureSpec]) -> FeatureSpec:
    if version not in specs:
        known = ", ".join(specs) or "none"
        raise FeatureVersionError(f"learnt with {version}, this program computes {known}")
    return specs[version]


def _words_term(prefix: str, arrays: Arrays, words: Words) -> Term:
    return Term(
        spec=words.features,
        standardiser=None,
        normality=WordNormality.from_state(words, _state(arrays, f"{prefix}.normality.")),
        calibration=TailCalibration.from_state(_state(arrays, f"{prefix}.calibration.")),
        level=TailCalibration.from_state(_state(arrays, f"{prefix}.level.")),
    )


def _term(
    prefix: str,
    spec: FeatureSpec,
    arrays: Arrays,
    options: ScoringOptions,
    student: StudentTerm | None = None,
) -> Term:
    own = kind_of(spec, options.normality).from_state
    standardiser = Standardiser.from_state(_state(arrays, f"{prefix}.standardiser."))
    term = Term(
        spec=spec,
        standardiser=standardiser,
        normality=student or own(_state(arrays, f"{prefix}.normality.")),
        calibration=TailCalibration.from_state(_state(arrays, f"{prefix}.calibration.")),
        level=TailCalibration.from_state(_state(arrays, f"{prefix}.level.")),
    )
    width = len(spec)
    term.normality.distance(np.zeros((1, width), np.float32))  # raises ValueError on a mismatch
    if standardiser.spread.shape != (width,):
        raise ValueError(f"{spec.spec_version} has {width} features")
    return term


def _state(arrays: Arrays, prefix: str) -> Arrays:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
