"""Generations: what the host's cameras were judged by, one adopted student after the other.

::

    models/
      current.json                       which one judges, since when, and why
      20260301T120000Z-3fa8c1d2e4b5/     one generation, named by its time and its student
        generation.json                  the decision, and sha256 of the files below
        student/                         the artifact (``edge.model.artifact``)
        cameras/<camera>.safetensors     the camera's model, calibrated with this student

A folder appears whole, by renaming, and never changes; the pointer is replaced whole. Any process
may read and point, also while ``vad-edge run`` runs: that picks the change up by itself.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge.adoption import Verdict
from edge.atomic import write_atomically
from edge.errors import FeatureVersionError, ModelError
from edge.generation_folder import (
    Entry,
    Generation,
    damaged,
    load_generation,
    read_entry,
    write_generation,
)
from edge.model.artifact import Artifact
from edge.scoring.model import CameraModel
from edge.scoring.student import StudentTerm

POINTER, POINTER_FORMAT = "current.json", "vad-generation-pointer-1"
KEPT = 5  # generations on the disk; the one that judges and the one before it always are


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which generation judges; ``version`` None: the cameras judge without a student."""

    version: str | None = None
    before: str | None = None  # what judged before it: a roll-back goes there
    since_s: float = 0.0  # seconds since the epoch
    reason: str = "no student was adopted yet"
    by_itself: bool = False  # the host took back what raised too many alarms


class Generations:
    """The generations of one host, in ``data_dir/models``."""

    def __init__(self, folder: Path, *, kept: int = KEPT) -> None:
        """Nothing is read or made yet."""
        self._folder = folder
        self._kept = max(kept, 2)

    def list(self) -> Sequence[tuple[str, Entry | ModelError]]:
        """Version and description of all there are, oldest first; of a damaged one its error."""
        return [(version, self._described(version)) for version in self._versions()]

    def current(self) -> Pointer:
        """Which one judges; raises ModelError where the pointer cannot be read."""
        path = self._folder / POINTER
        try:
            fields = json.loads(path.read_bytes())
            if fields.pop("format") != POINTER_FORMAT:
                raise damaged(path, "of another format")
            return _sound(Pointer(**fields))
        except FileNotFoundError:
            return Pointer()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise damaged(path, f"does not parse ({error})") from error

    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever somebody points elsewhere; as cheap as one ``stat``."""
        try:
            found = (self._folder / POINTER).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def entry(self, version: str) -> Entry:
        """Describe one; raises ModelError where there is none or it is damaged."""
        return read_entry(self._at(version))

    def load(self, version: str) -> Generation:
        """Read and check all of one; raises ModelError or FeatureVersionError."""
        return load_generation(self._at(version))

    def add(
        self,
        artifact: Artifact,
        models: Mapping[str, CameraModel],  # by camera, learnt with this artifact's student
        verdict: Verdict,
        *,
        created_s: float,
    ) -> str:
        """Keep a generation and return its version; nobody is judged by it before ``point_to``.

        Raises ModelError where the student fails its golden segments or a model is of another
        one, FeatureVersionError where it read other features, StorageError where the disk refuses.
        """
        student = StudentTerm.of(artifact)
        for camera, model in models.items():
            if model.student is None or model.student.version != student.version:
                raise ModelError(f"camera {camera}: not calibrated with {student.version}")
        stamped = {name: replace(m, created_s=created_s) for name, m in models.items()}
        version = self._name(created_s, student.version)
        entry = Entry(version, created_s, student.version, tuple(sorted(models)), verdict)
        write_generation(self._folder / version, entry, artifact, stamped)
        self._prune(version)
        return version

    def point_to(self, version: str | None, *, reason: str, now_s: float | None = None) -> Pointer:
        """Let a generation judge that passes every check; None: judge without a student.

        ``reason`` is for people, ``now_s`` defaults to the clock. Raises ModelError,
        FeatureVersionError or StorageError, and then what judged goes on.
        """
        old = self._latest()
        before = old.before if version == old.version else old.version
        return self._point(Pointer(version, before, _now(now_s), reason))

    def roll_back(
        self, *, reason: str, by_itself: bool = False, now_s: float | None = None
    ) -> Pointer:
        """Point to what judged before; to no student where that cannot be used any more.

        What was rolled back is nobody's ``before``: a second roll-back ends without a student.
        Where nothing was ever adopted nothing is written.
        """
        if self.stamp() is None:
            return Pointer()
        pointer = Pointer(self._latest().before, None, _now(now_s), reason, by_itself)
        try:
            return self._point(pointer)
        except (ModelError, FeatureVersionError) as error:
            return self._point(replace(pointer, version=None, reason=f"{reason}; {error}"))

    def _name(self, created_s: float, student: str) -> str:
        """Sorts by time; the same student once more is a second later where it need be."""
        made = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(created_s))
        version = f"{made}-{student}"
        taken = version in self._versions()
        return self._name(created_s + 1, student) if taken else version

    def _latest(self) -> Pointer:
        """The pointer; a damaged one is as good as none when another is written."""
        try:
            return self.current()
        except ModelError:
            return Pointer()

    def _point(self, pointer: Pointer) -> Pointer:
        if pointer.version is not None:
            self.load(pointer.version)
        content = json.dumps({"format": POINTER_FORMAT, **asdict(pointer)}, indent=1)
        write_atomically(self._folder / POINTER, content.encode())
        return pointer

    def _versions(self) -> Sequence[str]:
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.glob("[!.]*/") if path.is_dir())

    def _described(self, version: str) -> Entry | ModelError:
        try:
            return self.entry(version)
        except ModelError as error:
            return error

    def _at(self, version: str) -> Path:
        if version not in self._versions():  # a name, not a way out of the folder
            raise ModelError(f"{self._folder}: no generation {version!r}: see vad-edge models list")
        return self._folder / version

    def _prune(self, newest: str) -> None:
        pointer = self._latest()
        needed = {newest, pointer.version, pointer.before}
        spare = [version for version in self._versions() if version not in needed]
        room = max(self._kept - len(needed - {None}), 0)
        for version in spare[: len(spare) - room]:
            shutil.rmtree(self._folder / version, ignore_errors=True)


def _sound(pointer: Pointer) -> Pointer:
    """Raises TypeError or ValueError where a field is not what it should be."""
    names = (pointer.version, pointer.before)
    if not all(name is None or isinstance(name, str) for name in names):
        raise TypeError("version and before must be names or null")
    if not isinstance(pointer.reason, str) or not isinstance(pointer.by_itself, bool):
        raise TypeError("reason must be a text, by_itself true or false")
    if not 0 <= pointer.since_s < math.inf:
        raise ValueError("since_s must be seconds since the epoch")
    return pointer


def _now(now_s: float | None) -> float:
    return time.time() if now_s is None else now_s
