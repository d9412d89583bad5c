"""What the folders that travel between programs share: a manifest that vouches for the rest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from edge.atomic import PARTIAL, refused, write_atomically
from edge.errors import ModelError

MANIFEST = "manifest.json"


def write_folder(
    folder: Path, files: Mapping[str, bytes], manifest: Callable[[Path], Mapping[str, Any]]
) -> None:
    """Write files beside, ask for the manifest, rename all into place.

    ``folder`` must not exist yet; names may lie in subfolders. ``manifest`` gets the folder with
    all files in it, may check them, and raises where they are not fit to be seen. Raises
    StorageError where the disk refuses.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}{PARTIAL}")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, content in files.items():
            _write(partial / name, content)
        _write(partial / MANIFEST, _manifest_bytes(manifest(partial)))
        partial.rename(folder)
    except OSError as problem:
        raise refused(folder, problem) from problem
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replace_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Say something else of the same files; raises StorageError, and then the old one stands."""
    write_atomically(folder / MANIFEST, _manifest_bytes(manifest))


def read_manifest(folder: Path, form: str, names: Collection[str]) -> dict[str, Any]:
    """The manifest of a folder of format ``form``, which vouches for at least ``names``.

    Raises ModelError for anything else.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["format"] != form or not set(names) <= dict(manifest["files"]).keys():
            raise damaged(folder, f"not of format {form}")
    except OSError as error:
        raise ModelError(f"{folder}: no {MANIFEST}: {error.strerror or error}") from error
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(folder, f"{MANIFEST} does not parse ({error})") from error
    return dict(manifest)


def read_files(folder: Path, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """All files that the manifest vouches for; raises ModelError where one is another."""
    return {name: _read(folder, name, digest) for name, digest in manifest["files"].items()}


def read_folder(folder: Path) -> dict[str, bytes]:
    """A whole folder as it is, to be taken into another one; raises ModelError."""
    try:
        manifest = (folder / MANIFEST).read_bytes()
        return {MANIFEST: manifest, **read_files(folder, json.loads(manifest))}
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise damaged(folder, str(error)) from error


def damaged(folder: Path, what: str) -> ModelError:
    """For whatever cannot be used."""
    return ModelError(f"{folder}: damaged or foreign: {what}; learn, fetch or export it again")


def sha256(content: bytes) -> str:
    """The digest by which a manifest names a file."""
    return hashlib.sha256(content).hexdigest()


def _manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1).encode()


def _read(folder: Path, name: str, digest: str) -> bytes:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise damaged(folder, f"{MANIFEST} names {name!r}, which lies outside")
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise damaged(folder, f"{name} cannot be read: {error.strerror or error}") from error
    if sha256(content) != digest:
        raise damaged(folder, f"{name} is not the file that the manifest names")
    return content


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
