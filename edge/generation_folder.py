"""The folder of one generation: written whole, read strictly, never half-used."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.adoption import Verdict
from edge.analysis import SPECS
from edge.atomic import PARTIAL, refused, write_atomically
from edge.errors import ModelError
from edge.model.artifact import Artifact, load_artifact, save_artifact
from edge.model.folder import MANIFEST
from edge.scoring.model import CameraModel
from edge.scoring.store import load_camera_model, save_camera_model
from edge.scoring.student import StudentTerm

FORMAT = "vad-generation-1"
HEADER, STUDENT, CAMERAS = "generation.json", "student", "cameras"


@dataclass(frozen=True, slots=True)
class Entry:
    """A generation as it is listed."""

    version: str
    created_s: float  # seconds since the epoch
    student: str  # version of its artifact
    cameras: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """One that has passed every check and may judge."""

    entry: Entry
    artifact: Artifact
    student: StudentTerm
    models: Mapping[str, CameraModel]  # by camera


def read_entry(folder: Path) -> Entry:
    """Describe the generation in a folder of its name; raises ModelError where it is damaged."""
    return _entry(folder, _read_header(folder))


def load_generation(folder: Path) -> Generation:
    """Read and check all of it: digests, golden segments, feature versions, camera models.

    Raises ModelError or FeatureVersionError; nothing of a damaged one is handed out.
    """
    header = _read_header(folder)
    entry = _entry(folder, header)
    for name in _files(entry):
        _check(folder / name, header["files"].get(name))
    artifact = load_artifact(folder / STUDENT)
    student = StudentTerm.of(artifact)
    if student.version != entry.student:
        raise damaged(folder, f"holds student {student.version}, not {entry.student}")
    models = {
        camera: load_camera_model(folder / _camera_file(camera), SPECS, student=student)
        for camera in entry.cameras
    }
    return Generation(entry, artifact, student, models)


def write_generation(
    folder: Path, entry: Entry, artifact: Artifact, models: Mapping[str, CameraModel]
) -> None:
    """Write it beside, then rename it into place; ``folder`` must not exist yet.

    What a killed process had only begun to write is deleted. Raises ModelError where the student
    fails its golden segments, StorageError where the disk refuses.
    """
    partial = folder.with_name(f".{entry.version}.{os.getpid()}{PARTIAL}")
    try:
        for left in folder.parent.glob(f".*{PARTIAL}/"):
            shutil.rmtree(left, ignore_errors=True)
        save_artifact(partial / STUDENT, artifact)
        for camera, model in models.items():
            save_camera_model(partial / _camera_file(camera), model)
        header = json.dumps(_header(entry, partial), indent=1)
        write_atomically(partial / HEADER, header.encode())
        partial.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        raise refused(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def damaged(path: Path, what: str) -> ModelError:
    """For whatever cannot be used."""
    return ModelError(f"{path}: damaged or foreign: {what}; roll back: vad-edge models rollback")


def _header(entry: Entry, folder: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": entry.version,
        "created_s": entry.created_s,
        "student": entry.student,
        "cameras": list(entry.cameras),
        "verdict": entry.verdict.as_json(),
        "files": {name: _digest((folder / name).read_bytes()) for name in _files(entry)},
    }


def _read_header(folder: Path) -> dict[str, Any]:
    try:
        header = json.loads((folder / HEADER).read_bytes())
        if header["format"] != FORMAT or header["version"] != folder.name:
            raise damaged(folder, f"not a generation of format {FORMAT} and this name")
        return dict(header) | {"files": dict(header["files"])}
    except OSError as error:
        raise damaged(folder, f"no {HEADER}: {error.strerror or error}") from error
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(folder, f"{HEADER} does not parse ({error})") from error


def _entry(folder: Path, header: Mapping[str, Any]) -> Entry:
    try:
        return Entry(
            version=str(header["version"]),
            created_s=float(header["created_s"]),
            student=str(header["student"]),
            cameras=tuple(map(str, header["cameras"])),
            verdict=Verdict.from_json(header["verdict"]),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(folder, f"incomplete ({error})") from error


def _files(entry: Entry) -> list[str]:
    """What the header vouches for; the artifact's manifest vouches for the files beside it."""
    return [f"{STUDENT}/{MANIFEST}", *map(_camera_file, entry.cameras)]


def _camera_file(camera: str) -> str:
    return f"{CAMERAS}/{camera}.safetensors"


def _check(path: Path, digest: object) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from error
    if _digest(content) != digest:
        raise damaged(path, "not the file that was written")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sync(folder: Path) -> None:
    """Make a renaming survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
